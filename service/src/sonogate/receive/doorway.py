"""A TCP connection until its TLS handshake is done; then a `Connection` takes over."""

import asyncio
import ssl
from typing import Final, cast

from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.alerts import wire_of_task
from sonogate.receive.connection import Connection, peer_address, tune
from sonogate.receive.porter import Counted
from sonogate.receive.tls_refusals import TlsRefusal, refusal_of

GOODBYE_SECONDS: Final = 5.0
"""How long a peer has to answer our close_notify; many just close."""

log = get_logger()


class Doorway(asyncio.Protocol):
    """Shakes hands within ARTIM, or closes, counts why and says so."""

    def __init__(self, acceptor: Acceptor, context: ssl.SSLContext) -> None:
        self._acceptor = acceptor
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there is room."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()  # the handshake reads first
        tune(transport)
        if self._acceptor.is_crowded:
            self._transport.abort()
            return
        self._acceptor.connections.add(self)
        self._acceptor.spawn(self._shake_hands())

    def stop(self) -> None:
        """Nothing is under way yet."""
        self.abort()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    async def _shake_hands(self) -> None:
        connection, refusal = Connection(self._acceptor), TlsRefusal.LOST
        try:
            secured = await self._start_tls(connection)
        except OSError as error:
            secured, refusal = None, refusal_of(error)
            # Its frames hold asyncio's buffer of 256 KiB in a cycle that waits for the collector.
            error.__traceback__ = None
        finally:
            self._acceptor.connections.discard(self)
            self._acceptor.changed.set()
        if secured is None or connection.is_lost:
            self._note(refusal)
        else:
            connection.connection_made(secured)

    async def _start_tls(self, connection: Connection) -> asyncio.Transport | None:
        wire_of_task.set(self._transport)
        return await asyncio.get_running_loop().start_tls(
            self._transport,
            connection,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._acceptor.settings.artim_seconds,
            ssl_shutdown_timeout=GOODBYE_SECONDS,
        )

    def _note(self, refusal: TlsRefusal) -> None:
        self._acceptor.porter.count(Counted.TLS_REFUSED, refusal.value)
        address = peer_address(self._transport)
        self._acceptor.porter.refused("tls_refused", "", address, refusal.value)
        log.warning("tls_refused", peer_address=address, reason=refusal.value)
