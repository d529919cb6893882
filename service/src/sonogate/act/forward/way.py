"""The way to one destination: takes what is due from the queue, in order, and has it carried."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sonogate.act.backoff import Backoff
from sonogate.act.forward import outcome
from sonogate.act.forward.breaker import Breaker
from sonogate.act.forward.carrier import Carrier
from sonogate.act.forward.outcome import DestinationError, Fate, Outcome
from sonogate.act.forward.parcel import Parcel
from sonogate.act.rhythm import woken
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import DestinationSettings
from sonogate.store.database import Database
from sonogate.store.forward_records import Forward
from sonogate.store.transaction import Transaction

FRESH: Final = timedelta(minutes=10)
"""A study that received something so lately goes before any backlog."""
POLL_SECONDS: Final = 5.0
"""How often the queue is looked at unasked: for retries that an earlier gate planned."""
UNREADABLE_SECONDS: Final = 1.0
"""How soon a busy database is asked again."""
STEPS_ASIDE_AFTER: Final = 3
"""Times that the association broke, or all was refused, under one object: then others go first."""

log = get_logger()


@dataclass
class Way:
    """One destination's associations, its breaker, and the studies under way.

    Args:
        settings: the destination's.
        carrier: brings objects there.
        pack: makes a parcel of an item of the queue; None if its bytes can't be told.
        database: holds the queue.
        metrics: counts what became of each object.
    """

    settings: DestinationSettings
    carrier: Carrier
    pack: Callable[[Forward], Parcel | None]
    database: Database
    metrics: Metrics
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: set[str] = field(default_factory=set)  #: lanes

    def __post_init__(self) -> None:
        self.backoff = Backoff(max_seconds=self.settings.retry_max_seconds)
        self.breaker = Breaker(self.settings.name, self.backoff)
        self._blind_until = 0.0  # in the event loop's time: the database refused

    @property
    def name(self) -> str:
        """The destination's name."""
        return self.settings.name

    async def serve(self) -> None:
        """Pass objects on until cancelled; what is under way then is sent again later."""
        await self._remember()
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.wake.clear()
                for lane in await self._due():
                    self.under_way.add(lane)
                    tasks.create_task(self._convey(lane))
                await woken(self.wake, POLL_SECONDS)

    async def _remember(self) -> None:
        """Read what an earlier gate knew of the destination; a busy database is asked again."""
        while True:
            try:
                row = await self.database.read(lambda tx: tx.forward_queues.breaker(self.name))
            except Exception as error:  # noqa: BLE001 - boundary: it must not end the way
                log.error("forward queue unreadable", exception_type=type(error).__name__)
                await asyncio.sleep(UNREADABLE_SECONDS)
            else:
                self.breaker.row = row
                return

    def retry_now(self) -> None:
        """A person says that it works again."""
        self.breaker.mend()
        self.wake.set()

    async def _due(self) -> list[str]:
        """Return the lanes to begin with now."""
        now, busy = datetime.now(UTC), set(self.under_way)
        room = self.breaker.room(now, self.settings.associations) - len(busy)
        if room <= 0 or asyncio.get_running_loop().time() < self._blind_until:
            return []
        limit = room + len(busy)
        try:
            heads = await self.database.read(
                lambda tx: tx.forwards.due_lanes(self.name, now, now - FRESH, limit)
            )
        except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end the way
            log.error("forward queue unreadable", exception_type=type(error).__name__)
            self._pause()
            return []
        return [head.lane for head in heads if head.lane not in busy][:room]

    async def _convey(self, lane: str) -> None:
        try:
            await self._convey_batch(lane)
        except Exception as error:  # noqa: BLE001 - boundary: one batch must not end the way
            log.error(
                "forwarding failed",
                exception_type=type(error).__name__,
                destination=self.name,
            )
            await self._fail_whole(datetime.now(UTC), "internal")
        finally:
            self.under_way.discard(lane)
            self.wake.set()

    async def _convey_batch(self, lane: str) -> None:
        now, limit = datetime.now(UTC), self.settings.batch_objects
        items = await self.database.read(
            lambda tx: tx.forwards.next_of_lane(self.name, lane, now, limit)
        )
        batch = _Batch(self, {item.id: item for item in items})
        try:
            parcels = self._parcels(items, batch)
            if parcels:
                await self.carrier.carry(parcels, batch.start, batch.settle)
        except DestinationError as error:
            await batch.break_off(error.reason)
        finally:
            await batch.written()

    def _parcels(self, items: Sequence[Forward], batch: "_Batch") -> list[Parcel]:
        """Pack what one association may carry: of one sender, where we call as it."""
        parcels: list[Parcel] = []
        for item in items:
            parcel = self.pack(item)
            if parcel is None:
                batch.settle_item(item, outcome.BYTES_GONE)
            elif self.settings.calling_ae == "own" or parcel.calling_ae in (
                {parcels[0].calling_ae} if parcels else {parcel.calling_ae}
            ):
                parcels.append(parcel)
            else:
                break
        return parcels

    async def fail(self, item: Forward | None, reason: str) -> None:
        """Note a failure of the destination, under an object if one was on its way."""
        now = datetime.now(UTC)
        if item is not None:
            await self._try_later(item, now, reason, steps_aside=False)
        await self._fail_whole(now, reason)

    async def _fail_whole(self, now: datetime, reason: str) -> None:
        row = self.breaker.fail(now, reason)
        self.metrics.forward.answers.labels(self.name, "failed").inc()
        log.warning(
            "forwarding failed",
            destination=self.name,
            reason=reason,
            attempt=row.n_failed,
            seconds=round((row.rest_until - now).total_seconds(), 1),
        )
        self._wake_in((row.rest_until - now).total_seconds())
        await self.write(lambda tx: tx.forward_queues.break_off(row))

    async def record(self, item: Forward, out: Outcome) -> None:
        """Keep what became of an item."""
        now = datetime.now(UTC)
        if out.fate is Fate.TAKEN:
            await self._taken(item, now, out.reason)
        elif out.fate is Fate.BUSY:
            await self.fail(item, out.reason)
        elif out.fate is Fate.AT_FAULT and item.attempts + 1 < self.settings.max_attempts:
            self._count("failed")
            await self._try_later(item, now, out.reason, steps_aside=True)
        else:
            self._count("refused")
            log.error(
                "forwarding refused",
                destination=self.name,
                reason=out.reason,
                object_id=item.received.object_id if item.received else None,
            )
            await self.write(lambda tx: tx.forwards.refused(item.id, now, out.reason))

    async def _taken(self, item: Forward, now: datetime, reason: str) -> None:
        self._count(reason)
        had_failed = self.breaker.mend()

        def work(tx: Transaction) -> None:
            tx.forwards.done(item.id, now, reason)
            if had_failed:
                tx.forward_queues.mend(self.name)

        await self.write(work)

    async def _try_later(
        self, item: Forward, now: datetime, reason: str, *, steps_aside: bool
    ) -> None:
        n_failed = item.attempts + 1
        seconds = self.backoff.seconds(n_failed)
        aside = steps_aside or n_failed >= STEPS_ASIDE_AFTER
        self._wake_in(seconds)
        await self.write(
            lambda tx: tx.forwards.failed(
                item.id, now + timedelta(seconds=seconds), reason, steps_aside=aside
            )
        )

    async def write(self, work: Callable[[Transaction], Any]) -> None:
        """Write to the queue; if the database refuses, the object is sent once more later."""
        try:
            await self.database.write(work)
        except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end the way
            log.error("forward not recorded", exception_type=type(error).__name__)
            self._pause()

    def _count(self, result: str) -> None:
        self.metrics.forward.answers.labels(self.name, result).inc()

    def _pause(self) -> None:
        """The database refused: sending on would send the same objects again and again."""
        self._blind_until = asyncio.get_running_loop().time() + UNREADABLE_SECONDS
        self._wake_in(UNREADABLE_SECONDS)

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake.set)


class _Batch:
    """Items of one lane on their way, and the writes of what became of them."""

    def __init__(self, way: Way, items: dict[int, Forward]) -> None:
        self._way = way
        self._items = items
        self._sending: Forward | None = None
        self._writes: list[asyncio.Task[None]] = []

    def start(self, parcel: Parcel) -> None:
        """An object's bytes begin to leave."""
        self._sending = self._items[parcel.forward_id]

    def settle(self, parcel: Parcel, out: Outcome) -> None:
        """An object was answered; it is written while the next one leaves."""
        self._sending = None
        self.settle_item(self._items[parcel.forward_id], out)

    def settle_item(self, item: Forward, out: Outcome) -> None:
        """Write what became of an item."""
        self._writes.append(asyncio.create_task(self._way.record(item, out)))

    async def break_off(self, reason: str) -> None:
        """The destination failed under the object that was leaving, if any."""
        await self._way.fail(self._sending, reason)

    async def written(self) -> None:
        """Wait until all is durable, so that none is sent twice for nothing."""
        if self._writes:
            await asyncio.gather(*self._writes)
