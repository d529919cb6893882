"""One TCP connection of the listener: bytes in, bytes out, and when not to read.

Everything happens in callbacks of the loop; there is no task, buffer or timer tick for a connection
that is idle. What the bytes mean is `provider`'s.
"""

import asyncio
import socket
from typing import Final, cast

from sonogate.receive.acceptor import Acceptor
from sonogate.receive.certificate import peer_certificate
from sonogate.receive.provider import Provider

_KEEP_ALIVE: Final = {
    socket.TCP_KEEPIDLE: 120,
    socket.TCP_KEEPINTVL: 30,
    socket.TCP_KEEPCNT: 4,
}
"""Seconds, seconds, count: a cart that was switched off is noticed within four minutes."""


class Connection(asyncio.BufferedProtocol):
    """Feeds the provider and holds back what it can't take yet."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._held = bytearray()
        self._is_writable = True
        self._is_reading = True
        self._is_made = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the provider begin; over TLS this comes a moment after the first bytes may."""
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is None:
            tune(transport)
        self._provider = Provider(
            self._acceptor, self, peer_address(transport), peer_certificate(tls)
        )
        self._is_made = True
        if self._acceptor.is_crowded:
            self.abort()
        self._acceptor.connections.add(self)
        if self._held:
            self.proceed()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Lend the buffer all connections share; `buffer_updated` empties it at once."""
        return self._acceptor.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand received bytes on."""
        self._take(self._acceptor.buffer[:nbytes])

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        self.is_lost = True
        self._held.clear()
        if not self._is_made:
            return
        self._provider.connection_lost()
        self._transport = _GONE
        self._acceptor.connections.discard(self)
        self._acceptor.changed.set()

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests."""
        self._is_writable = False
        self._provider.stall()
        self._update_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._is_writable = True
        self.proceed()

    def stop(self) -> None:
        """End the association: at once if idle, else after the object under way."""
        self._provider.stop()

    def write(self, pdu: bytes) -> None:
        """Send bytes; nothing happens on a closed connection."""
        if not self._transport.is_closing():
            self._transport.write(pdu)

    def close(self) -> None:
        """Close once everything written is sent."""
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def proceed(self) -> None:
        """Go on reading: a request was answered, or the disk or the peer caught up."""
        if self._transport.is_closing():
            return
        self._provider.resume()
        if self._held:
            held, self._held = self._held, bytearray()
            self._take(memoryview(held))
        else:
            self._update_reading()

    def _take(self, view: memoryview) -> None:
        # A transport may deliver once more after it was told to pause.
        if self._held or not self._is_made:
            self._held += view
            return
        taken = self._provider.receive(view)
        if taken < len(view):
            self._held += view[taken:]
        self._update_reading()

    def _update_reading(self) -> None:
        wanted = self._is_writable and not self._held and not self._provider.is_behind
        if wanted == self._is_reading or self._transport.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


class _Gone(asyncio.Transport):
    """Takes the place of a lost transport.

    asyncio's own for TLS refers to us, and both would wait for the garbage collector with their
    buffers.
    """

    def is_closing(self) -> bool:
        """It is closed."""
        return True

    def close(self) -> None:
        """It is closed."""

    def abort(self) -> None:
        """It is closed."""


_GONE: Final = _Gone()


def peer_address(transport: asyncio.BaseTransport) -> str:
    """Return the IP address at the other end."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def tune(transport: asyncio.BaseTransport) -> None:
    """Send small PDUs at once, and notice a peer that was switched off."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
