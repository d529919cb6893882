"""Send the audit trail to repositories as it grows: in order, at least once, resumed where it was.

Syslog knows no answer (RFC 5425). So what was sent counts as taken once the server's machine has
acknowledged its bytes and the connection has held for a while after; until then it is sent again
over the next connection. Nothing waits for a repository: the trail is in the database.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sonogate.act.audit.syslog import to_line
from sonogate.act.audit.wires import TlsWire, UdpWire, Wire
from sonogate.act.backoff import Backoff
from sonogate.act.rhythm import every
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.observe.unasked import name_of
from sonogate.settings import AuditRepositorySettings
from sonogate.store.audit import Noted
from sonogate.store.database import Database

BATCH: Final = 100
"""Messages handed over at once; a repository that comes back gets some hundreds a second."""
BEAT_SECONDS: Final = 1.0
"""How often the trail is looked at."""
SETTLE_SECONDS: Final = 2.0
"""How long a connection has to hold after a message before that counts as taken."""

MakeTls = Callable[[AuditRepositorySettings], ssl.SSLContext | None]

log = get_logger()


class AuditSender:
    """Sends the trail to the repositories of the settings.

    Args:
        database: holds the trail, and how far it was sent.
        repositories: whom to send it to.
        source: who we are, in the messages.
        host: our host name, in their headers.
        metrics: counts messages and shows what waits.
        make_tls: reads a repository's TLS files; called anew for each connection.
    """

    def __init__(
        self,
        database: Database,
        repositories: Sequence[AuditRepositorySettings],
        *,
        source: str,
        host: str,
        metrics: Metrics,
        make_tls: MakeTls,
    ) -> None:
        def write(batch: Sequence[Noted]) -> list[str]:
            return [to_line(noted, source, host) for noted in batch]

        self._lanes = [_Lane(each, database, metrics, write, make_tls) for each in repositories]
        for each in repositories:
            metrics.audit.show_repository(each.name)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())
                tasks.create_task(every(BEAT_SECONDS, lane.show, "audit trail unreadable"))


@dataclass
class _Lane:
    """The way to one repository."""

    settings: AuditRepositorySettings
    database: Database
    metrics: Metrics
    write: Callable[[Sequence[Noted]], list[str]]
    make_tls: MakeTls
    _taken: int | None = None  #: id of the last entry that it surely has, once known
    _n_failed: int = 0  #: connections in a row by which nothing got there
    _sent: deque[tuple[int, int, float]] = field(default_factory=deque)  #: last id, n, when

    async def run(self) -> None:
        """Connect and send, again and again."""
        name = self.settings.name
        backoff = Backoff(first_seconds=1.0, max_seconds=self.settings.retry_max_seconds)
        while True:
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001 - boundary: the next connection may succeed
                self._n_failed += 1
                seconds = backoff.seconds(self._n_failed)
                self.metrics.audit.sent.labels(name, "failed").inc()
                log.warning(
                    "audit trail not sent",
                    destination=name,
                    exception_type=name_of(error),
                    attempt=self._n_failed,
                    seconds=round(seconds, 1),
                )
                await asyncio.sleep(seconds)

    async def show(self) -> None:
        """Set the gauges."""
        if self._taken is None:
            return
        taken, name = self._taken, self.settings.name
        newest = await self.database.read(lambda tx: tx.audit_positions.newest())
        first = await self.database.read(lambda tx: tx.audit.after(taken, 1))
        age = (datetime.now(UTC) - first[0].entry.at).total_seconds() if first else 0.0
        self.metrics.audit.pending.labels(name).set(max(0, newest - taken))
        self.metrics.audit.oldest_seconds.labels(name).set(max(0.0, age))

    async def _serve(self) -> None:
        """Send over one connection until it breaks."""
        reached = await self._begin()
        self._sent.clear()
        wire = await self._open()
        try:
            while True:
                wire.require_alive()
                batch = await self._next(reached)
                if batch:
                    await wire.send(await asyncio.to_thread(self.write, batch))
                    reached = batch[-1].id
                    self._sent.append((reached, len(batch), time.monotonic()))
                await self._settle(wire)
                if len(batch) < BATCH:
                    await asyncio.sleep(BEAT_SECONDS)
        finally:
            await wire.close()

    async def _next(self, reached: int) -> list[Noted]:
        return await self.database.read(lambda tx: tx.audit.after(reached, BATCH))

    async def _begin(self) -> int:
        """Return the id of the last entry that it has; a new one begins with the gate's start."""
        name = self.settings.name
        if self._taken is None:
            self._taken = await self.database.read(lambda tx: tx.audit_positions.of(name))
        if self._taken is None:
            self._taken = await self.database.read(
                lambda tx: tx.audit_positions.before_last("start")
            )
            await self._remember(self._taken)
        return self._taken

    async def _open(self) -> Wire:
        settings = self.settings
        if settings.transport == "udp":
            return await UdpWire.open(settings.host, settings.wire_port)
        context = await asyncio.to_thread(self.make_tls, settings)
        return await TlsWire.open(
            settings.host, settings.wire_port, context, settings.answer_seconds
        )

    async def _settle(self, wire: Wire) -> None:
        """Remember what was sent long enough ago, over a connection that still holds."""
        until, taken, n_taken = time.monotonic() - SETTLE_SECONDS, self._taken, 0
        if not wire.is_acknowledged:
            if self._sent and self._sent[0][2] < time.monotonic() - self.settings.answer_seconds:
                raise TimeoutError
            return
        while self._sent and self._sent[0][2] <= until:
            taken, n_messages, _at = self._sent.popleft()
            n_taken += n_messages
        if taken is not None and n_taken:
            await self._remember(taken)
            self._taken, self._n_failed = taken, 0
            self.metrics.audit.sent.labels(self.settings.name, "sent").inc(n_taken)

    async def _remember(self, entry_id: int) -> None:
        name = self.settings.name
        await self.database.write(lambda tx: tx.audit_positions.move(name, entry_id))
