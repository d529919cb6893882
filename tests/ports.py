"""Ports for servers that are told theirs beforehand, and must find it free again when restarted."""

import itertools
import os
import socket
from typing import Final

_FIRST: Final = 10240
_N: Final = 32768 - _FIRST
"""Below those that Linux gives to whoever asks for any port (`ip_local_port_range`)."""
_APART: Final = 1009
_next = itertools.count(os.getpid() * _APART)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, and that this process never gave before.

    Raises:
        OSError: All of them are taken.
    """
    for number in itertools.islice(_next, _N):
        port = _FIRST + number % _N
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {_FIRST} to {_FIRST + _N - 1} is free")
