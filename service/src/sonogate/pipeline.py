"""The flow, readable top to bottom: claim, examine, judge, record, tell."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sonogate.domain.identity import ObjectId
from sonogate.domain.instance import ReceivedInstance
from sonogate.domain.job import Examination, Job, Outcome
from sonogate.domain.ports import Examiner
from sonogate.domain.verdict import Seconds, Status, Verdict
from sonogate.errors import (
    DeadlineError,
    ModelError,
    SpoolWriteError,
    UnreadableError,
    UnscorableError,
    WorkerCrashError,
    WorkerKilledError,
)
from sonogate.judge.policy import Policy
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.receive.spool import Spool
from sonogate.score.pacing import Pace
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.records import ClaimedObject
from sonogate.track import tracker

IDLE_SECONDS = 1.0
"""How often an idle pipeline looks for claims that another gate let go."""

READ_ATTEMPTS = 10
"""Claims of an object whose bytes the disk does not give back, before that is its verdict: each
ends with its lease, so ten of them outlast a disk that is gone for some minutes."""

log = get_logger()


@dataclass
class Pipeline:
    """Carries every kept object to its verdict."""

    settings: Settings
    owner: str
    database: Database
    spool: Spool
    examiner: Examiner
    policy: Policy
    targets: tracker.DeliveryTargets
    metrics: Metrics
    on_recorded: Callable[[], None]
    pace: Pace = field(default_factory=Pace)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[str, list[asyncio.Future[Verdict]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Judge what is kept until cancelled; one task per scoring worker."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.settings.scoring.workers):
                tasks.create_task(self._judge_claims())

    def wake(self) -> None:
        """There is work: an object was kept."""
        self.pace.note_arrival()
        self._work.set()

    def judge_by(self, policy: Policy) -> None:
        """Judge by another policy from the next verdict on."""
        self.policy = policy

    async def verdict_of(self, object_id: str, timeout_seconds: float) -> Verdict | None:
        """Wait for the verdict of an object that is on its way; None after the time."""
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(object_id, [])
        waiting.append(future)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            waiting.remove(future)
            if not waiting:
                self._waiting.pop(object_id, None)

    async def _judge_claims(self) -> None:
        while True:
            self._work.clear()
            try:
                await self.pace.rest()
                claimed = await self._claim()
                if claimed is None:
                    await self._wait_for_work()
                    continue
                self._work.set()  # there may be more: let the next worker look
                await self.judge(claimed)
            except Exception as error:  # noqa: BLE001 - boundary: one object or a full disk must not end the flow
                log.error("judging failed", exception_type=type(error).__name__)
                await asyncio.sleep(IDLE_SECONDS)

    async def _claim(self) -> ClaimedObject | None:
        def work(tx: tracker.Transaction) -> list[ClaimedObject]:
            return tx.objects.claim(
                self.owner, datetime.now(UTC), self.settings.scoring.lease_seconds, 1
            )

        claims = await self.database.write(work)
        return claims[0] if claims else None

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._work.wait()
        except TimeoutError:
            return

    async def judge(self, claimed: ClaimedObject) -> Verdict:
        """Carry one claimed object to its recorded verdict."""
        received = claimed.received
        queued = seconds_since(received.provenance.received_at)
        try:
            examination = await self._examine(received)
        except ModelError:  # not the object's fault: it need not wait for the end of its lease
            await self.database.write(lambda tx: tx.objects.release(received.object_id))
            raise
        if examination.reason_code == UnreadableError.code and claimed.attempts < READ_ATTEMPTS:
            raise UnreadableError
        verdict = self._verdict(examination, received, queued)
        recording = time.perf_counter()
        recorded = await self._record(claimed, examination, verdict)
        self.metrics.stage_seconds.labels("record").observe(time.perf_counter() - recording)
        for how in recorded.cleared:
            self.metrics.reacquired.labels(how).inc()
        self._tell(received, examination, recorded.verdict)
        return recorded.verdict

    async def _record(
        self, claimed: ClaimedObject, examination: Examination, verdict: Verdict
    ) -> tracker.Recorded:
        """Record a verdict; a database that refuses is asked again, for nobody else has it."""

        def work(tx: tracker.Transaction) -> tracker.Recorded:
            now, track = datetime.now(UTC), self.settings.track
            return tracker.record(tx, claimed, examination, verdict, now, track, self.targets)

        while True:
            try:
                return await self.database.write(work)
            except SpoolWriteError as error:
                log.error("verdict not recorded", exception_type=type(error).__name__)
                await asyncio.sleep(IDLE_SECONDS)

    async def _examine(self, received: ReceivedInstance) -> Examination:
        path, span = self.spool.place_of(received.spool_name)
        job = Job(
            object_id=received.object_id,
            path=str(path),
            span=span,
            media_type=received.media_type,
            max_frames=self.settings.scoring.max_frames,
        )
        for attempt in range(1, self.settings.scoring.max_attempts + 1):
            try:
                return await self.examiner.examine(job)
            except WorkerKilledError as error:  # not its fault, as far as can be told
                log.warning("worker killed", object_id=job.object_id, attempt=attempt)
                killed = error
            except (DeadlineError, WorkerCrashError) as error:
                log.warning("worker broke", object_id=job.object_id, attempt=attempt)
                return refused(job, error)
        return refused(job, killed)

    def _verdict(
        self, examination: Examination, received: ReceivedInstance, queued: float
    ) -> Verdict:
        started = time.perf_counter()
        verdict = self.policy.judge(examination, received, datetime.now(UTC))
        spent = examination.seconds
        return verdict.model_copy(
            update={
                "seconds": Seconds(
                    queue=queued,
                    read=spent.read,
                    preprocess=spent.preprocess,
                    infer=spent.infer,
                    judge=time.perf_counter() - started,
                    total=seconds_since(received.provenance.received_at),
                )
            }
        )

    def _tell(self, received: ReceivedInstance, examination: Examination, verdict: Verdict) -> None:
        self.on_recorded()
        for future in self._waiting.get(received.object_id, []):
            if not future.done():
                future.set_result(verdict)
        count(self.metrics, received, examination, verdict)


def refused(job: Job, error: UnscorableError) -> Examination:
    """Make the examination of an object that no worker could answer for."""
    return Examination(
        object_id=ObjectId(job.object_id),
        outcome=Outcome.UNSCORABLE,
        reason_code=error.code,
        reason_detail=str(error),
    )


def seconds_since(then: datetime) -> float:
    """Return wall seconds since an aware time; a clock set back gives zero."""
    return max(0.0, (datetime.now(UTC) - then).total_seconds())


def count(
    metrics: Metrics, received: ReceivedInstance, examination: Examination, verdict: Verdict
) -> None:
    """Count a verdict."""
    ae = metrics.ae(received.provenance.calling_ae)
    exam = metrics.exam(examination.header.exam_type)
    band = verdict.band or "none"
    model = verdict.model.name if verdict.model else "none"
    metrics.verdicts.labels(ae, exam, verdict.status, band, model).inc()
    for finding in verdict.findings:
        metrics.findings.labels(ae, exam, band, finding.code).inc()
    if verdict.status is Status.UNSCORABLE:
        metrics.unscorable.labels(examination.reason_code or "none").inc()
    kind = "cine" if verdict.frames and verdict.frames.total > 1 else "still"
    seconds = verdict.seconds
    metrics.verdict_seconds.labels(kind).observe(seconds_since(received.provenance.received_at))
    for stage in ("queue", "read", "preprocess", "infer", "judge"):
        metrics.stage_seconds.labels(stage).observe(getattr(seconds, stage))
