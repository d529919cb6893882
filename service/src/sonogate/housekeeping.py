"""What the gate does on the side: settle studies, set gauges, let old pixels and events go."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sonogate.domain.instance import ReceivedInstance
from sonogate.observe.clock import ClockWatch
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.receive.spool import Spool
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.track import retention, settling
from sonogate.track.studies import Studies
from sonogate.track.tracker import DeliveryTargets

BEAT_SECONDS = 1.0
"""How often studies are settled and gauges set; well below any settle time."""
KEEP_COMMITMENTS = timedelta(days=30)
"""What was answered is remembered so long: a sender may ask again under the same UID."""
PRUNED_AT_ONCE = 500
CERTIFICATE_SECONDS = 5.0
"""How often the doors' certificate files are looked at."""
CALIBRATION_SECONDS = 2.0
"""How soon a calibration that was applied or taken back holds, or does not."""

log = get_logger()


async def _nothing() -> None:
    """Look at nothing."""


def _nobody(_step: timedelta) -> None:
    """Tell nobody."""


@dataclass
class Housekeeping:
    """The slow loops."""

    settings: Settings
    database: Database
    spool: Spool
    studies: Studies
    targets: DeliveryTargets
    metrics: Metrics
    on_change: Callable[[], None]
    look_at_certificates: Callable[[], Awaitable[None]]
    look_at_calibrations: Callable[[], Awaitable[None]] = _nothing
    on_clock_step: Callable[[timedelta], None] = _nobody
    clock: ClockWatch = field(default_factory=ClockWatch)

    async def run(self) -> None:
        """Run until cancelled; a failing round is logged and tried again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(BEAT_SECONDS, self.settle))
            tasks.create_task(self._every(BEAT_SECONDS, self.set_gauges))
            tasks.create_task(self._every(CERTIFICATE_SECONDS, self.look_at_certificates))
            tasks.create_task(self._every(CALIBRATION_SECONDS, self.look_at_calibrations))
            tasks.create_task(self._every(self.settings.spool.janitor_seconds, self.let_go))
            tasks.create_task(self._every(self.settings.spool.janitor_seconds, self.prune_events))
            tasks.create_task(
                self._every(self.settings.spool.janitor_seconds, self.prune_commitments)
            )

    async def mind_the_clock(self) -> None:
        """Move every timer along with a clock that was set; before any of them is asked.

        What the database refuses is tried again in the next round, with the whole step.
        """
        seconds = self.clock.step_seconds()
        if not seconds:
            return
        step = timedelta(seconds=seconds)
        n_moved = await self.database.write(lambda tx: tx.timers.move(step))
        self.clock.follow(seconds)
        self.on_clock_step(step)
        self.metrics.process.clock_steps.inc()
        log.warning("clock stepped", seconds=round(seconds, 1), n_objects=n_moved)

    async def settle(self) -> None:
        """Move studies that went quiet."""
        await self.mind_the_clock()
        now = datetime.now(UTC)
        changed = await self.database.write(
            lambda tx: settling.settle(tx, now, self.settings.track, self.targets)
        )
        if changed:
            self.on_change()
        for change in changed:
            if change.closed:
                self.metrics.studies_closed.labels(
                    change.closed_by or "quiet", "ready" if change.was_ready else "not_ready"
                ).inc()
                self.metrics.unscored_at_close.inc(change.n_unscored)

    async def set_gauges(self) -> None:
        """Set what is measured rather than counted."""
        now = datetime.now(UTC)
        queue = await self.studies.queue()
        self.metrics.queue_objects.set(queue.n_objects)
        oldest = queue.oldest_received_at
        self.metrics.queue_oldest_seconds.set((now - oldest).total_seconds() if oldest else 0)
        self.metrics.spool_free_bytes.set(self.spool.free_bytes())
        self.metrics.process.tasks.set(len(asyncio.all_tasks()))
        for sender in await self.studies.senders():
            ae = self.metrics.ae(sender.calling_ae)
            self.metrics.clock_skewed.labels(ae).set(sender.clock_skewed)
            if sender.sends_late_seconds is None:
                self.metrics.sender_delay_seconds.remove(ae)
            else:
                self.metrics.sender_delay_seconds.labels(ae).set(sender.sends_late_seconds)

    async def let_go(self) -> None:
        """Remove the pixel bytes of objects whose verdict was delivered long enough ago.

        The bytes go before the row says so: what a crash or the disk prevents is tried again.
        """
        await asyncio.to_thread(self.spool.clear_leftovers)
        days, now = self.settings.spool.retention_days, datetime.now(UTC)
        expired = await self.database.read(lambda tx: retention.expired(tx, now, days))
        gone = await asyncio.to_thread(self._remove, expired)
        if gone:
            await self.database.write(lambda tx: retention.mark_pixels_gone(tx, gone, now))
            sealed = await asyncio.to_thread(self.spool.sealed)
            live = await self.database.read(lambda tx: tx.spooled_bytes.spool_names())
            await asyncio.to_thread(self.spool.drop, live, sealed)
        kept_bytes = await self.database.read(lambda tx: tx.spooled_bytes.total())
        self.metrics.spool_used_bytes.set(kept_bytes)

    async def prune_commitments(self) -> None:
        """Forget some of the requests for commitment that were answered long ago."""
        before = datetime.now(UTC) - KEEP_COMMITMENTS
        await self.database.write(lambda tx: tx.commitments.prune(before, PRUNED_AT_ONCE))

    async def prune_events(self) -> None:
        """Remove old events, a few in each commit, so that no verdict waits for it."""
        now = datetime.now(UTC)
        days, retention_days = self.settings.store.event_days, self.settings.spool.retention_days
        below_id = await self.database.read(lambda tx: retention.first_event_to_keep(tx, now, days))
        n_pruned = 1
        while n_pruned:
            n_pruned = await self.database.write(
                lambda tx: retention.prune_events(tx, below_id, now, retention_days)
            )

    def _remove(self, expired: Sequence[ReceivedInstance]) -> list[str]:
        """Remove the bytes of objects; return the ids of those that are gone."""
        gone = []
        for each in expired:
            try:
                self.spool.remove(each.spool_name)
            except OSError as error:
                log.warning("bytes not removed", object_id=each.object_id, reason=error.strerror)
            else:
                gone.append(str(each.object_id))
        return gone

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - boundary: the next round may succeed
                log.error("housekeeping failed", exception_type=type(error).__name__)
            await asyncio.sleep(seconds)
