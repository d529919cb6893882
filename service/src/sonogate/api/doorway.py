"""An HTTPS connection until its TLS handshake is done; then uvicorn's protocol takes over.

Each handshake takes the certificates in force when it begins. uvicorn itself would hold one TLS
context for good, and out of a context neither an authority nor a revocation list can be taken.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from uvicorn.server import ServerState

from sonogate.act.audit.trail import Note
from sonogate.api import connections
from sonogate.api.dependencies import ApiPorts
from sonogate.observe.logs import get_logger
from sonogate.receive.alerts import wire_of_task
from sonogate.receive.certificates import Certificates
from sonogate.receive.tls_refusals import TlsRefusal, refusal_of

HANDSHAKE_SECONDS: Final = 10.0
GOODBYE_SECONDS: Final = 5.0
"""How long a client has to answer our close_notify; many just close."""

log = get_logger()


def protocols(certificates: Certificates, ports: ApiPorts) -> Callable[..., asyncio.Protocol]:
    """Return what makes uvicorn the protocol of each connection."""
    if certificates.context is None:
        return connections.BoundedProtocol
    return partial(Doorway, certificates, ports)


class Doorway(asyncio.Protocol):
    """Shakes hands in time, or closes, says why to the client, and notes it."""

    def __init__(
        self,
        certificates: Certificates,
        ports: ApiPorts,
        server_state: ServerState,
        **uvicorns: Any,
    ) -> None:
        self._certificates, self._ports, self._state = certificates, ports, server_state
        self._inside = partial(connections.BoundedProtocol, server_state=server_state, **uvicorns)
        self._early = bytearray()
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there is room."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()  # the handshake reads first
        if len(self._state.connections) >= connections.MAX_CONNECTIONS:
            self._transport.abort()
            return
        self._state.connections.add(self)  # type: ignore[arg-type]  # what uvicorn asks of them is `shutdown`
        task = asyncio.get_running_loop().create_task(self._shake_hands())
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def data_received(self, data: bytes) -> None:
        """Keep what comes with the end of the handshake."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._is_lost = True

    def shutdown(self) -> None:
        """Nothing is under way yet."""
        self._transport.abort()

    async def _shake_hands(self) -> None:
        refusal = TlsRefusal.LOST
        try:
            secured = await self._start_tls()
        except OSError as error:
            secured, refusal = None, refusal_of(error)
            # Its frames hold asyncio's buffer of 256 KiB in a cycle that waits for the collector.
            error.__traceback__ = None
        finally:
            self._state.connections.discard(self)
        if secured is None or self._is_lost:
            self._note(refusal)
            return
        inside = self._inside()
        secured.set_protocol(inside)
        inside.connection_made(secured)
        if self._early:
            inside.data_received(bytes(self._early))

    async def _start_tls(self) -> asyncio.Transport | None:
        context = self._certificates.context
        assert context is not None  # noqa: S101 - a door that was locked stays locked
        wire_of_task.set(self._transport)
        return await asyncio.get_running_loop().start_tls(
            self._transport,
            self,
            context,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=GOODBYE_SECONDS,
        )

    def _note(self, refusal: TlsRefusal) -> None:
        self._ports.metrics.http_tls_refused.labels(refusal.value).inc()
        peer = self._transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        self._ports.note(Note("tls_refused", "unknown", address, detail=(("rule", refusal.value),)))
        log.warning("tls_refused", door="http", peer_address=address, reason=refusal.value)
