"""The DICOM door: Verification, Storage, MPPS and Storage Commitment SCP on one asyncio loop."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from sonogate.domain.commitment import Commitments
from sonogate.domain.ports import Announcing
from sonogate.domain.procedure import Steps
from sonogate.observe.health import Check
from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.certificates import Certificates
from sonogate.receive.connection import Connection
from sonogate.receive.contexts import PROCEDURE_STEP, STORAGE_COMMITMENT, supported_contexts
from sonogate.receive.doorway import Doorway
from sonogate.receive.porter import Porter
from sonogate.receive.spool import Spool
from sonogate.settings import ListenerSettings

STOP_SECONDS: Final = 5.0
"""How long objects under way may take to be answered once the gate is told to stop."""
FAREWELL_SECONDS: Final = 0.5
"""How long aborted peers have to read their A-ABORT and close."""
BACKLOG: Final = 512

log = get_logger()


class Listener:
    """Accepts associations until stopped; every acknowledged object is durable."""

    def __init__(  # noqa: PLR0917 - the ports behind the door
        self,
        settings: ListenerSettings,
        spool: Spool,
        registrar: Announcing,
        porter: Porter,
        steps: Steps | None = None,
        commitments: Commitments | None = None,
    ) -> None:
        """Read the certificates, if the door is locked; without a port its service is not offered.

        Raises:
            SettingFileError: One of them is not what it must be.
        """
        self._settings = settings
        self._acceptor = Acceptor(
            settings=settings,
            spool=spool,
            registrar=registrar,
            porter=porter,
            contexts=supported_contexts(settings.extra_sop_classes, _services(steps, commitments)),
            steps=steps,
            commitments=commitments,
        )
        self.certificates = Certificates(settings)
        self._servers: list[asyncio.Server] = []

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        sockets = [each for server in self._servers for each in server.sockets]
        return int(sockets[0].getsockname()[1]) if sockets else 0

    @property
    def n_associations(self) -> int:
        """Associations established now."""
        return self._acceptor.porter.n_open

    @property
    def is_locked(self) -> bool:
        """Whether the door speaks TLS only."""
        return self.certificates.context is not None

    def check(self) -> Check:
        """Say whether carts are answered."""
        return Check(ok=self.port > 0, detail=f"port {self.port}")

    def reload(self) -> None:
        """Take the certificates anew."""
        self.certificates.reload()

    async def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Open the spool and listen.

        Args:
            sockets: What to listen on; none: the address of the settings.

        Raises:
            OSError: The address is taken or not ours.
        """
        await self._acceptor.spool.open()
        loop, settings = asyncio.get_running_loop(), self._settings
        for each in sockets:
            self._servers.append(await loop.create_server(self._answer, sock=each, backlog=BACKLOG))
        if not sockets:
            self._servers.append(
                await loop.create_server(
                    self._answer, settings.host, settings.port, backlog=BACKLOG
                )
            )
        log.info("listener_started", host=self._settings.host, port=self.port)

    def _answer(self) -> asyncio.BaseProtocol:
        context = self.certificates.context
        if context is None:
            return Connection(self._acceptor)
        return Doorway(self._acceptor, context)

    async def stop(self) -> None:
        """Accept no more, abort what is idle, answer what is under way; then close everything."""
        if not self._servers:
            return
        acceptor = self._acceptor
        for server in self._servers:
            server.close()
        for connection in tuple(acceptor.connections):
            connection.stop()
        await self._wait_while(lambda: acceptor.porter.n_open > 0, STOP_SECONDS)
        await self._wait_while(lambda: bool(acceptor.connections), FAREWELL_SECONDS)
        for connection in tuple(acceptor.connections):
            connection.abort()
        await self._wait_while(lambda: bool(acceptor.connections or acceptor.tasks))
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        log.info("listener_stopped")

    async def _wait_while(self, is_true: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until it is no longer true, or for so many seconds."""
        changed = self._acceptor.changed
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while is_true():
                    changed.clear()
                    await changed.wait()


def _services(steps: Steps | None, commitments: Commitments | None) -> list[str]:
    """Return the abstract syntaxes of the services behind which somebody stands."""
    offered = ((PROCEDURE_STEP, steps), (STORAGE_COMMITMENT, commitments))
    return [syntax for syntax, port in offered if port is not None]
