"""Storage commitment: take requests, decide them when that can be done truthfully, report.

State before action: the request is a row before it is answered, the decision before it is sent.
After a crash the report is sent again; it carries the same Transaction UID.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sonogate.act.backoff import Backoff
from sonogate.act.network.calling import CallError
from sonogate.act.network.deciding import Decision, Demand, Word, decide
from sonogate.act.network.reporting import ReportCaller
from sonogate.act.rhythm import woken
from sonogate.domain.commitment import CommitmentOutcome, CommitmentRequest, SendReport
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import CommitmentSettings
from sonogate.store.commitments import CommitmentRow, CommitmentState
from sonogate.store.database import Database

IN_FLIGHT: Final = 4
"""Reports under way at once."""
POLL_SECONDS: Final = 1.0
"""How often waiting requests are looked at: a destination may have taken what they wait for."""
MOST_POLL_SECONDS: Final = 30.0
"""How often at least, however long one waits already."""
PAUSE_SECONDS: Final = 0.5
"""Between Success on a request and its report on the same association: who only asks and leaves has
left by then, and who waits hardly notices."""
BATCH: Final = 50
SUCCESS: Final = 0x0000

_ITEM_LABELS: Final = {Word.NOT_YET: "failed", Word.HELD: "failed"}

log = get_logger()


class CommitmentDesk:
    """A `domain.commitment.Commitments` over the database; `run` does what follows.

    Args:
        database: an open database.
        settings: how long to wait for what, and how many may wait.
        demand: what must be true of an object.
        caller: reports to senders whose association is over.
        metrics: counts requests, objects and reports.
        caught_up: awaited before a decision: what was acknowledged is in the database then.
    """

    def __init__(  # noqa: PLR0917 - what it joins
        self,
        database: Database,
        settings: CommitmentSettings,
        demand: Demand,
        caller: ReportCaller,
        metrics: Metrics,
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._settings = settings
        self._demand = demand
        self._caller = caller
        self._metrics = metrics.network
        self._caught_up = caught_up
        self._backoff = Backoff(first_seconds=5.0, max_seconds=settings.retry_max_seconds)
        self._open: dict[int, SendReport] = {}  #: ways back, while their associations may be open
        self._in_flight: set[int] = set()
        self._wake = asyncio.Event()

    async def take(self, request: CommitmentRequest, reply: SendReport) -> CommitmentOutcome:
        """Return once the request is durable; `reply` serves while its association is open."""
        most = self._settings.max_open
        outcome, commitment_id = await self._database.write(
            lambda tx: tx.commitments.take(request, most)
        )
        self._metrics.commitments.labels(outcome.name.lower()).inc()
        if commitment_id:
            self._open[commitment_id] = reply
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._wake.set)
        return outcome

    async def run(self) -> None:
        """Decide and report until cancelled; a failing round is logged and tried again."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                try:
                    await self._decide_due()
                    for row in await self._owed():
                        self._in_flight.add(row.id)
                        tasks.create_task(self._report(row))
                    await self._show_backlog()
                except Exception as error:  # noqa: BLE001 - boundary: a busy database ends nothing
                    log.error("commitments_unreadable", exception_type=type(error).__name__)
                await woken(self._wake, POLL_SECONDS)

    async def _decide_due(self) -> None:
        now = datetime.now(UTC)
        before = now - timedelta(seconds=PAUSE_SECONDS)
        rows = await self._database.read(
            lambda tx: tx.commitments.due(CommitmentState.WAITING, before, BATCH)
        )
        if rows:
            await self._caught_up()
        for row in rows:
            await self._decide(row, datetime.now(UTC))

    async def _decide(self, row: CommitmentRow, now: datetime) -> None:
        demand = self._demand
        decision = await self._database.read(lambda tx: decide(tx, row.request, now, demand))
        if decision is None:
            age = (now - row.request.received_at).total_seconds()
            later = now + timedelta(seconds=min(max(POLL_SECONDS, age / 10), MOST_POLL_SECONDS))
            await self._database.write(
                lambda tx: tx.commitments.put_off(row.id, later, failed=False)
            )
            return
        reasons = decision.reasons
        await self._database.write(lambda tx: tx.commitments.decide(row.id, reasons, now))
        self._count(row, decision)

    def _count(self, row: CommitmentRow, decision: Decision) -> None:
        for word, n_items in Counter(decision.words).items():
            self._metrics.commitment_items.labels(_ITEM_LABELS.get(word, word.value)).inc(n_items)
        log.info(
            "commitment_decided",
            calling_ae=row.request.calling_ae,
            n_objects=len(decision.words),
            result="complete" if not any(decision.reasons) else "failures",
        )

    async def _owed(self) -> list[CommitmentRow]:
        room = IN_FLIGHT - len(self._in_flight)
        if room <= 0:
            return []
        busy, now = set(self._in_flight), datetime.now(UTC)
        rows = await self._database.read(
            lambda tx: tx.commitments.due(CommitmentState.DECIDED, now, IN_FLIGHT)
        )
        return [row for row in rows if row.id not in busy][:room]

    async def _report(self, row: CommitmentRow) -> None:
        try:
            way, reason = await self._send(row)
            await self._settle(row, way, reason)
        except Exception as error:  # noqa: BLE001 - boundary: one report must not end the others
            log.error("report_not_recorded", exception_type=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
        finally:
            self._in_flight.discard(row.id)
            self._wake.set()

    async def _send(self, row: CommitmentRow) -> tuple[str, str]:
        """Send a report; return by which way it was taken, else why it was not."""
        reply = self._open.pop(row.id, None)
        if reply is not None and await reply(row.report) == SUCCESS:
            return "same_association", ""
        try:
            status = await self._caller.send(row.request, row.report)
        except CallError as error:
            return "", str(error)
        return ("new_association", "") if status == SUCCESS else ("", "refused")

    async def _settle(self, row: CommitmentRow, way: str, reason: str) -> None:
        now = datetime.now(UTC)
        age = (now - row.request.received_at).total_seconds()
        if way:
            await self._database.write(
                lambda tx: tx.commitments.end(row.id, CommitmentState.REPORTED)
            )
        elif age > self._settings.give_up_seconds:
            way = "given_up"
            await self._database.write(
                lambda tx: tx.commitments.end(row.id, CommitmentState.GIVEN_UP)
            )
        else:
            way = "failed"
            later = now + timedelta(seconds=self._backoff.seconds(row.attempts + 1))
            await self._database.write(
                lambda tx: tx.commitments.put_off(row.id, later, failed=True)
            )
        self._metrics.commitment_reports.labels(way).inc()
        log.info(
            "commitment_reported",
            calling_ae=row.request.calling_ae,
            result=way,
            reason=reason,
            attempt=row.attempts + 1,
        )

    async def _show_backlog(self) -> None:
        n_open, oldest = await self._database.read(lambda tx: tx.commitments.n_open())
        age = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        self._metrics.commitments_open.set(n_open)
        self._metrics.commitments_oldest_seconds.set(max(0.0, age))
