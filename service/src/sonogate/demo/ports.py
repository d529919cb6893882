"""Whether a port is there to be had."""

import socket


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a port can be bound now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError:
            return False
    return True
