"""Ways to a syslog server: over TLS (RFC 5425), which notices a lost one; over UDP (RFC 5426)."""

import asyncio
import fcntl
import ssl
import struct
import sys
from collections.abc import Sequence
from typing import Any, Final, Protocol

from sonogate.act.audit.syslog import framed

_SIOCOUTQ: Final = 0x5411  # linux/sockios.h: bytes that the peer has not acknowledged
MAX_DATAGRAM_BYTES: Final = 65_507
"""Of IPv4; a longer message is cut (RFC 5426 3.2)."""


class Wire(Protocol):
    """A way to one server; whatever goes wrong is an OSError."""

    async def send(self, lines: Sequence[str]) -> None:
        """Hand messages over; they are with the system then, not surely with the server."""

    def require_alive(self) -> None:
        """Raise if the server has gone."""

    @property
    def is_acknowledged(self) -> bool:
        """Whether the server's machine has taken all that was handed over."""

    async def close(self) -> None:
        """Let go."""


class TlsWire:
    """One connection; each message with its length before it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        self._writer = writer
        self._seconds = seconds
        self._ending = asyncio.create_task(reader.read(1))  # a syslog server says nothing
        writer.transport.set_write_buffer_limits(high=1, low=0)

    @classmethod
    async def open(
        cls, host: str, port: int, context: ssl.SSLContext | None, seconds: float
    ) -> "TlsWire":
        """Connect; the server is checked under the name it is called by.

        Raises:
            OSError: It can't be had, or not in time.
        """
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=host if context else None
            )
        return cls(reader, writer, seconds)

    async def send(self, lines: Sequence[str]) -> None:
        """Write messages, and wait until the system has taken them."""
        self._writer.write(b"".join(map(framed, lines)))
        async with asyncio.timeout(self._seconds):
            await self._writer.drain()

    def require_alive(self) -> None:
        """Raise if it closed."""
        if self._ending.done():
            raise ConnectionResetError

    @property
    def is_acknowledged(self) -> bool:
        """Whether nothing waits in our system's buffer; elsewhere than on Linux that is assumed."""
        connection: Any = self._writer.get_extra_info("socket")
        if sys.platform != "linux" or connection is None:
            return True
        (n_bytes,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), _SIOCOUTQ, bytes(4)))
        return bool(n_bytes == 0)

    async def close(self) -> None:
        """Close at once: what is not acknowledged is sent again."""
        self._ending.cancel()
        self._writer.transport.abort()
        await asyncio.gather(self._ending, return_exceptions=True)


class UdpWire(asyncio.DatagramProtocol):
    """One datagram for each message."""

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> "UdpWire":
        """Name the server; nobody is asked whether it is there.

        Raises:
            OSError: The name leads nowhere.
        """
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_datagram_endpoint(cls, remote_addr=(host, port))
        wire._transport = transport
        return wire

    def error_received(self, exc: Exception) -> None:
        """The server's machine says that nobody listens."""
        self._error = exc

    async def send(self, lines: Sequence[str]) -> None:
        """Send messages, and look a moment later whether the machine refused one."""
        for line in lines:
            if self._transport is not None:
                self._transport.sendto(line.encode()[:MAX_DATAGRAM_BYTES])
        await asyncio.sleep(0.02)
        self.require_alive()

    def require_alive(self) -> None:
        """Raise if nobody listens."""
        if self._error is not None:
            raise ConnectionRefusedError from self._error

    @property
    def is_acknowledged(self) -> bool:
        """Nothing more is ever known."""
        return True

    async def close(self) -> None:
        """Let go of the socket."""
        if self._transport is not None:
            self._transport.close()
