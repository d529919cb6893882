"""Runs a way to each destination, lets held objects go, and shows how the queues stand."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sonogate.act.forward.breaker import BreakerState
from sonogate.act.forward.carrier import Carrier
from sonogate.act.forward.parcel import Parcel
from sonogate.act.forward.way import Way
from sonogate.act.rhythm import every, woken
from sonogate.domain.instance import ReceivedInstance, Span, Transport
from sonogate.observe.clock import ClockWatch
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.observe.outgoing_metrics import FORWARD_STATES
from sonogate.settings import DestinationSettings
from sonogate.store.database import Database
from sonogate.store.forward_records import (
    Destinations,
    Forward,
    ForwardState,
    MadeResult,
    QueueOf,
)

RELEASE_SECONDS: Final = 1.0
"""How often it is looked whether something held is decided, beside each time we are told."""
GAUGES_SECONDS: Final = 1.0
KEEP_FOR_THE_GONE: Final = timedelta(hours=72)
"""What is owed to a destination that left the settings is kept so long: a weekend and a day to mend
a slip."""
SWEEP_SECONDS: Final = 600.0

Place = Callable[[str], tuple[Path, Span | None]]
"""Where the spool keeps an object; raises ValueError for a name that is not the spool's."""

UNREADABLE = "forward queue unreadable"

log = get_logger()


class Forwarder:
    """Passes objects on to the destinations of the settings.

    Args:
        database: Holds the queue.
        destinations: The destinations' settings.
        make_carrier: Makes what brings objects to one of them.
        place_of: Where the spool keeps an object.
        results_dir: Where results of our own are.
        metrics: Counts answers and shows the queues.
    """

    def __init__(  # noqa: PLR0917 - called once, by the composition root
        self,
        database: Database,
        destinations: tuple[DestinationSettings, ...],
        make_carrier: Callable[[DestinationSettings], Carrier],
        place_of: Place,
        results_dir: Path,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._metrics = metrics.forward
        self._place_of = place_of
        self._results_dir = results_dir
        self._look = asyncio.Event()
        self._clock = ClockWatch()
        self.destinations = Destinations.from_settings(destinations)
        self._holding = [each.name for each in self.destinations.all if each.holds]
        self.ways = {
            each.name: Way(
                settings=each,
                carrier=make_carrier(each),
                pack=self.pack,
                database=database,
                metrics=metrics,
            )
            for each in destinations
        }
        for name in self.ways:
            self._metrics.show_destination(name)

    def notify(self) -> None:
        """Something may be decided."""
        self._look.set()
        self.wake()

    def wake(self) -> None:
        """Something may be owed."""
        for way in self.ways.values():
            way.wake.set()

    def clock_stepped(self, step: timedelta) -> None:
        """Rest from failed destinations as long as was meant."""
        self._clock.follow(step.total_seconds())
        for way in self.ways.values():
            way.breaker.move(step)

    async def run(self) -> None:
        """Pass on until cancelled; what is under way then is sent again after the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every(SWEEP_SECONDS, self._drop_owed_to_the_gone, UNREADABLE))
            tasks.create_task(self._release_as_decided())
            if self.ways:
                tasks.create_task(every(GAUGES_SECONDS, self._show_queues, UNREADABLE))
            for way in self.ways.values():
                tasks.create_task(way.serve())

    def pack(self, item: Forward) -> Parcel | None:
        """Make a parcel of an item of the queue; None if it can't be told where its bytes are."""
        if item.received is not None:
            return self._pack_received(item.id, item.received)
        return self._pack_result(item, item.result) if item.result is not None else None

    def _pack_received(self, forward_id: int, received: ReceivedInstance) -> Parcel | None:
        try:
            path, span = self._place_of(received.spool_name)
        except ValueError:
            return None
        names = (received.sop_class_uid, received.sop_instance_uid, received.transfer_syntax_uid)
        if not all(names):
            return None
        sender = received.provenance
        return Parcel(
            forward_id=forward_id,
            file_stem=received.object_id,
            sop_class_uid=received.sop_class_uid or "",
            sop_instance_uid=received.sop_instance_uid or "",
            transfer_syntax_uid=received.transfer_syntax_uid or "",
            calling_ae=sender.calling_ae if sender.transport is Transport.DIMSE else None,
            day=f"{sender.received_at:%Y-%m-%d}",
            path=path,
            span=span or Span(offset=0, size_bytes=received.size_bytes),
        )

    def _pack_result(self, item: Forward, result: MadeResult) -> Parcel | None:
        path = self._results_dir / Path(result.file_name).name
        try:
            size_bytes = path.stat().st_size
        except OSError:
            return None
        return Parcel(
            forward_id=item.id,
            file_stem=result.result_id,
            sop_class_uid=result.sop_class_uid,
            sop_instance_uid=result.sop_instance_uid,
            transfer_syntax_uid=result.transfer_syntax_uid,
            calling_ae=None,
            day=f"{item.created_at:%Y-%m-%d}",
            path=path,
            span=Span(offset=0, size_bytes=size_bytes),
        )

    async def _release_as_decided(self) -> None:
        while True:
            self._look.clear()
            try:
                await self._release()
            except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end it
                log.error("held objects not looked at", exception_type=type(error).__name__)
            await woken(self._look, RELEASE_SECONDS)

    async def _release(self) -> None:
        """Let held objects go that are decided; each commit says why.

        Not while a clock that was set has not been followed: no hold ran out by that.
        """
        if self._clock.step_seconds():
            return
        now, holding = datetime.now(UTC), self._holding
        if not await self._database.read(lambda tx: tx.forward_holds.decided(now, holding)):
            return
        released = await self._database.write(lambda tx: tx.forward_holds.release(now, holding))
        for release, n_objects in released.items():
            log.info("held objects released", reason=release.value, n_objects=n_objects)
        self.wake()

    async def _show_queues(self) -> None:
        now = datetime.now(UTC)
        for name, way in self.ways.items():
            queue = await self._database.read(_reader_of(name))
            for state in FORWARD_STATES:
                n_objects = queue.by_state.get(ForwardState(state), 0)
                self._metrics.pending.labels(name, state).set(n_objects)
            oldest = queue.oldest_owed_at
            age = (now - oldest).total_seconds() if oldest else 0.0
            self._metrics.oldest_seconds.labels(name).set(max(0.0, age))
            is_open = way.breaker.state(now) is not BreakerState.CLOSED
            self._metrics.breaker_open.labels(name).set(is_open)

    async def _drop_owed_to_the_gone(self) -> None:
        names, now = self.destinations.names, datetime.now(UTC)
        n_dropped = await self._database.write(
            lambda tx: tx.forwards.drop_owed_to_others(names, now - KEEP_FOR_THE_GONE, now)
        )
        if n_dropped:
            log.warning(
                "forwards dropped", reason="destination_not_configured", n_objects=n_dropped
            )


def _reader_of(name: str) -> Callable[..., QueueOf]:
    return lambda tx: tx.forward_queues.of(name)
