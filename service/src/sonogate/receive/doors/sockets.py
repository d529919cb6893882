"""Sockets that share one address, one for each door: the system spreads connections over them."""

import socket
from typing import Any

from sonogate.receive.listener import BACKLOG

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def listen_together(host: str, port: int, n: int) -> list[list[socket.socket]]:
    """Listen `n` times on every address of a host.

    A port that another program holds is refused even where the system would let us share it.

    Returns:
        For each of the `n`, a socket on each address.

    Raises:
        OSError: An address is taken or not ours.
    """
    shares: list[list[socket.socket]] = [[] for _ in range(n)]
    try:
        for family, address in _addresses(host, port):
            at = _free(family, address)
            for share in shares:
                share.append(_listening(family, at))
    except OSError:
        close_all(shares)
        raise
    return shares


def close_all(shares: list[list[socket.socket]]) -> None:
    """Close every socket."""
    for share in shares:
        for each in share:
            each.close()


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, *_, address in found))


def _free(family: socket.AddressFamily, address: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an address with a port that nobody listens on.

    Raises:
        OSError: Somebody does, whether or not the port could be shared.
    """
    with _bound(family, address) as probe:
        _host, port, *rest = probe.getsockname()
    return (address[0], port, *rest)


def _bound(
    family: socket.AddressFamily, address: tuple[Any, ...], *, shared: bool = False
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _listening(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    made = _bound(family, address, shared=True)
    try:
        made.listen(BACKLOG)
        made.setblocking(False)  # noqa: FBT003 - the library's own signature
    except OSError:
        made.close()
        raise
    return made
