"""The DICOM door: Verification, Storage, MPPS and Storage Commitment SCP on one asyncio loop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sonogate.domain.commitment import Commitments
from sonogate.domain.ports import Registrar
from sonogate.domain.procedure import Steps
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.receive.acceptor import Acceptor, Refused
from sonogate.receive.certificates import Certificates
from sonogate.receive.connection import Connection
from sonogate.receive.contexts import PROCEDURE_STEP, STORAGE_COMMITMENT, supported_contexts
from sonogate.receive.doorway import Doorway
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
        registrar: Registrar,
        metrics: Metrics,
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
            metrics=metrics,
            contexts=supported_contexts(settings.extra_sop_classes, _services(steps, commitments)),
            steps=steps,
            commitments=commitments,
        )
        self.certificates = Certificates(settings)
        self._server: asyncio.Server | None = None

    def tell_refusals(self, on_refused: Refused) -> None:
        """Tell of every peer that is turned away."""
        self._acceptor.on_refused = on_refused

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        if self._server is None or not self._server.sockets:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def n_associations(self) -> int:
        """Associations established now."""
        return self._acceptor.quota.n_open

    @property
    def is_locked(self) -> bool:
        """Whether the door speaks TLS only."""
        return self.certificates.context is not None

    async def start(self) -> None:
        """Open the spool and listen.

        Raises:
            OSError: The address is taken or not ours.
        """
        await self._acceptor.spool.open()
        self._server = await asyncio.get_running_loop().create_server(
            self._answer,
            self._settings.host,
            self._settings.port,
            backlog=BACKLOG,
        )
        log.info("listener_started", host=self._settings.host, port=self.port)

    def _answer(self) -> asyncio.BaseProtocol:
        context = self.certificates.context
        if context is None:
            return Connection(self._acceptor)
        return Doorway(self._acceptor, context)

    async def stop(self) -> None:
        """Accept no more, abort what is idle, answer what is under way; then close everything."""
        if self._server is None:
            return
        acceptor = self._acceptor
        self._server.close()
        for connection in tuple(acceptor.connections):
            connection.stop()
        await self._wait_while(lambda: acceptor.quota.n_open > 0, STOP_SECONDS)
        await self._wait_while(lambda: bool(acceptor.connections), FAREWELL_SECONDS)
        for connection in tuple(acceptor.connections):
            connection.abort()
        await self._wait_while(lambda: bool(acceptor.connections or acceptor.tasks))
        await self._server.wait_closed()
        self._server = None
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
