"""Make the results of closed studies: asked for in the database, written apart, kept, owed on.

A study asks in the transaction of its change (`track.journal`), so a crash forgets nothing. Rows
and what is owed to destinations are written in one transaction after the files are durable; a crash
in between writes the same bytes again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sonogate.act.backoff import Backoff
from sonogate.act.results.drafts import Draft, plan
from sonogate.act.results.entering import enter
from sonogate.act.results.facts import Answer, Place, Written
from sonogate.act.results.gathering import Gathered, gather
from sonogate.act.results.scribe import ScribeError, write_all
from sonogate.act.results.shelf import Shelf
from sonogate.act.rhythm import woken
from sonogate.domain.identity import new_object_id
from sonogate.domain.instance import Span
from sonogate.domain.study import StudyStatus
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import ResultsSettings
from sonogate.store.database import Database
from sonogate.store.forward_records import Destinations
from sonogate.store.results import OwedResults, ResultRow
from sonogate.store.transaction import Transaction

POLL_SECONDS = 2.0
"""How often the database is asked what is due."""
SWEEP_SECONDS = 600.0
"""How often old results are let go."""
LET_GO_AT_ONCE = 200
"""Files removed in one round."""
AT_ONCE = 4
"""Studies taken in one look; they are written one after another, in the shadow of scoring."""

log = get_logger()


@dataclass(kw_only=True)
class Maker:
    """Makes what studies ask for."""

    database: Database
    shelf: Shelf
    place_of: Callable[[str], tuple[Path, Span | None]]  #: where a kept object's bytes are
    settings: ResultsSettings
    device: str  #: the gate's name as observer
    destinations: Destinations
    metrics: Metrics
    retention_days: float
    on_made: Callable[[], None] = lambda: None
    backoff: Backoff = field(default_factory=Backoff)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """A study may have asked."""
        self._wake.set()

    async def run(self) -> None:
        """Make what is asked for until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._serve())
            tasks.create_task(self._sweep())

    async def _serve(self) -> None:
        while True:
            self._wake.clear()
            try:
                n_made = await self.make_due(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end this
                log.error("results not made", exception_type=type(error).__name__)
                n_made = 0
            if not n_made:
                await woken(self._wake, POLL_SECONDS)

    async def make_due(self, now: datetime) -> int:
        """Make what is due at a time; return how many studies asked."""
        due = await self.database.read(lambda tx: tx.results.due(now, AT_ONCE))
        for owed in due:
            await self._make(owed)
        return len(due)

    async def _make(self, owed: OwedResults) -> None:
        try:
            await self.make(owed)
        except (ScribeError, OSError) as error:
            self.metrics.results.failed.labels("scribe").inc()
            wait = self.backoff.seconds(owed.attempts + 1)
            next_at = datetime.now(UTC) + timedelta(seconds=wait)
            log.warning("results not made", reason=type(error).__name__, attempt=owed.attempts + 1)
            await self.database.write(lambda tx: tx.results.failed(owed, next_at))

    async def make(self, owed: OwedResults) -> None:
        """Make the results of one study.

        Raises:
            ScribeError: the writing process died or took too long.
            OSError: the disk refused a file.
        """
        study_uid = owed.study_instance_uid
        gathered = await self.database.read(lambda tx: gather(tx, study_uid, self.settings))
        if gathered is None or not self._is_time(gathered):
            await self.database.write(lambda tx: tx.results.settled(owed))
            return
        work = await asyncio.to_thread(
            plan,
            gathered,
            self.settings,
            device=self.device,
            said_at=owed.asked_at,
            sources=self._sources(gathered),
        )
        answers: tuple[Answer, ...] = ()
        if work.drafts:
            orders = tuple(draft.order for draft in work.drafts)
            answers = await write_all(orders, self.settings.deadline_seconds)
        pairs = list(zip(work.drafts, answers, strict=True))
        rows = [await self._keep(draft, each.written) for draft, each in pairs if each.written]
        await self.database.write(
            lambda tx: enter(
                tx, owed, gathered, ended=work.ended, made=rows, destinations=self.destinations
            )
        )
        self._tell(pairs)

    def _is_time(self, gathered: Gathered) -> bool:
        """A study that was reopened asks again when it closes."""
        study = gathered.study
        if study.status is not StudyStatus.CLOSED:
            return False
        if self.settings.on_change or study.closed_at is None:
            return True
        return not any(row.made_at >= study.closed_at for row in gathered.earlier)

    def _sources(self, gathered: Gathered) -> tuple[Place, ...]:
        """Return where the patient can be read: a stored object, else an earlier result."""
        places = []
        for spool_name in gathered.spool_names:
            path, span = self.place_of(spool_name)
            places.append(
                Place(path=str(path), offset=span.offset, size_bytes=span.size_bytes)
                if span
                else Place(path=str(path))
            )
        kept = [row.file_name for row in gathered.earlier if row.bytes_gone_at is None]
        return (*places, *(Place(path=str(self.shelf.path_of(name))) for name in kept[-3:]))

    async def _keep(self, draft: Draft, written: Written) -> tuple[Draft, ResultRow]:
        content_sha256 = hashlib.sha256(written.part10).hexdigest()
        file_name = await asyncio.to_thread(self.shelf.keep, written.part10, content_sha256)
        return draft, ResultRow(
            sop_instance_uid=written.sop_instance_uid,
            result_id=new_object_id(),
            study_instance_uid=draft.order.facts.study_instance_uid,
            series_instance_uid=written.series_instance_uid,
            sop_class_uid=written.sop_class_uid,
            kind=draft.order.kind,
            object_id=draft.object_id,
            version=draft.order.version,
            facts_sha256=draft.facts_sha256,
            content_sha256=content_sha256,
            size_bytes=len(written.part10),
            file_name=file_name,
            made_at=datetime.now(UTC),
        )

    def _tell(self, pairs: Iterable[tuple[Draft, Answer]]) -> None:
        n_made = 0
        for draft, answer in pairs:
            if answer.written is not None:
                n_made += 1
                self.metrics.results.made.labels(draft.order.kind).inc()
                continue
            reason = "no_source" if answer.refused == "no_source" else "refused"
            self.metrics.results.failed.labels(reason).inc()
            log.error("result not made", reason=reason, exception_type=answer.refused)
        if n_made:
            log.info("results made", n_objects=n_made)
            self.on_made()

    async def _sweep(self) -> None:
        while True:
            try:
                await self.let_go(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - boundary: the next round may succeed
                log.error("results not let go", exception_type=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def let_go(self, now: datetime) -> int:
        """Remove the files of results that are old and owed to nobody; return how many."""
        before = now - timedelta(days=self.retention_days)

        def unwanted(tx: Transaction) -> list[ResultRow]:
            old = tx.results.expired(before, LET_GO_AT_ONCE)
            return [row for row in old if not tx.forwards.wants_file(row.result_id)]

        rows = await self.database.read(unwanted)
        for row in rows:
            await asyncio.to_thread(self.shelf.remove, row.file_name)
        uids = [row.sop_instance_uid for row in rows]
        if uids:
            await self.database.write(lambda tx: tx.results.mark_bytes_gone(uids, now))
        return len(uids)
