"""Carry events from the outbox to webhooks: at least once, in order per study, never given up.

The outbox is a table written in the transaction of the event itself, so a crash forgets nothing.
Each webhook has a lane of its own: a slow or dead receiver holds up no other. Within a lane only
the oldest undelivered event of each study is tried, so a receiver sees a study in order.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from sonogate.act.backoff import Backoff
from sonogate.act.rhythm import every, woken
from sonogate.act.webhook import Attempt, Message, host_of, make_client, post
from sonogate.errors import SettingsError
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import WebhookSettings
from sonogate.store import records
from sonogate.store.database import Database

IN_FLIGHT = 4
"""Attempts at one receiver at once, each of another study."""
POLL_SECONDS = 5.0
"""How often the outbox is looked at unasked: for retries an earlier gate planned."""
BEAT_SECONDS = 1.0
"""How often the backlog's gauges are set."""
KEEP_FOR_THE_GONE = timedelta(hours=24)
"""What is owed to a receiver that left the settings is kept so long: time to mend a slip."""
SWEEP_SECONDS = 600.0
"""How often what is owed to the gone is looked at."""
REST_SECONDS = 30.0
"""A sick receiver is asked at least so often whether it is well again."""

UNREADABLE = "outbox unreadable"

log = get_logger()


@dataclass
class _Lane:
    """The way to one receiver."""

    webhook: WebhookSettings
    host: str
    in_flight: set[int] = field(default_factory=set)
    n_failed: int = 0  #: sick answers since the last delivery
    rest_until: float = 0.0  #: monotonic
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def room(self) -> int:
        """Attempts that may start now: one at a time while the receiver is sick."""
        if time.monotonic() < self.rest_until:
            return 0
        return (1 if self.n_failed else IN_FLIGHT) - len(self.in_flight)

    def wake_in(self, seconds: float) -> None:
        """Look again after so long."""
        asyncio.get_running_loop().call_later(seconds, self.wake.set)


class Delivery:
    """Delivers what the outbox owes to the webhooks of the settings.

    Args:
        database: Holds the outbox.
        webhooks: The receivers; each has its own address.
        metrics: Counts attempts and shows the backlog.
        backoff: Waits between attempts; its maximum is what a repaired receiver waits at most.

    Raises:
        SettingsError: two webhooks share an address, or one can't be POSTed to.
    """

    def __init__(
        self,
        database: Database,
        webhooks: tuple[WebhookSettings, ...],
        metrics: Metrics,
        backoff: Backoff | None = None,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._backoff = backoff or Backoff()
        self._webhooks = webhooks
        self._lanes = [_Lane(webhook, host_of(webhook)) for webhook in webhooks]
        if len({webhook.url for webhook in webhooks}) < len(webhooks):
            raise SettingsError("webhooks: two have the same url; merge their events into one")

    def notify(self) -> None:
        """Something new may be in the outbox."""
        for lane in self._lanes:
            lane.wake.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is tried again after the next start."""
        async with make_client(self._webhooks) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(every(BEAT_SECONDS, self._show_backlog, UNREADABLE))
            tasks.create_task(
                every(SWEEP_SECONDS, self._drop_owed_to_the_gone, "outbox unreadable")
            )
            for lane in self._lanes:
                tasks.create_task(self._serve(client, lane))

    async def _serve(self, client: httpx.AsyncClient, lane: _Lane) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                lane.wake.clear()
                for owed in await self._due(lane):
                    lane.in_flight.add(owed.id)
                    tasks.create_task(self._deliver(client, lane, owed))
                await woken(lane.wake, POLL_SECONDS)

    async def _due(self, lane: _Lane) -> Sequence[records.Delivery]:
        room = lane.room()
        if room <= 0:
            return ()
        busy = set(lane.in_flight)  # before the look, which may miss what ends meanwhile
        now = datetime.now(UTC)
        try:
            due = await self._database.read(
                lambda tx: tx.deliveries.next_per_lane(lane.webhook.url, now, IN_FLIGHT)
            )
        except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end delivery
            log.error(UNREADABLE, exception_type=type(error).__name__)
            return ()
        return [owed for owed in due if owed.id not in busy][:room]

    async def _deliver(
        self, client: httpx.AsyncClient, lane: _Lane, owed: records.Delivery
    ) -> None:
        try:
            attempt = await post(client, lane.webhook, _message(owed), datetime.now(UTC))
            await self._settle(lane, owed, attempt)
        except Exception as error:  # noqa: BLE001 - boundary: one event must not end the lane
            log.error("delivery not recorded", exception_type=type(error).__name__)
            lane.rest_until = time.monotonic() + BEAT_SECONDS
            lane.wake_in(BEAT_SECONDS)
        finally:
            lane.in_flight.discard(owed.id)
            lane.wake.set()

    async def _settle(self, lane: _Lane, owed: records.Delivery, attempt: Attempt) -> None:
        now = datetime.now(UTC)
        self._metrics.deliveries.labels("delivered" if attempt.delivered else "failed").inc()
        if attempt.delivered:
            lane.n_failed = 0
            await self._database.write(lambda tx: tx.deliveries.delivered(owed.id, now))
            return
        wait = self._wait_after(owed.attempts + 1, attempt)
        self._rest(lane, attempt)
        next_at = now + timedelta(seconds=wait)
        await self._database.write(lambda tx: tx.deliveries.failed(owed.id, now, next_at))
        lane.wake_in(wait)
        log.warning(
            "delivery failed",
            url_host=lane.host,
            reason=attempt.reason,
            attempt=owed.attempts + 1,
            seconds=round(wait, 1),
        )

    def _wait_after(self, n_failed: int, attempt: Attempt) -> float:
        asked = min(attempt.retry_after_seconds or 0.0, self._backoff.max_seconds)
        return max(self._backoff.seconds(n_failed), asked)

    def _rest(self, lane: _Lane, attempt: Attempt) -> None:
        """Go easy on a receiver that fails as a whole; its other events wait untried."""
        if not attempt.target_is_sick:
            return
        lane.n_failed += 1
        seconds = min(self._backoff.seconds(lane.n_failed), REST_SECONDS)
        lane.rest_until = time.monotonic() + seconds
        lane.wake_in(seconds)

    async def _show_backlog(self) -> None:
        n_owed, oldest_at = await self._database.read(lambda tx: tx.deliveries.backlog())
        age = (datetime.now(UTC) - oldest_at).total_seconds() if oldest_at else 0.0
        self._metrics.outbox_pending.set(n_owed)
        self._metrics.outbox_oldest_seconds.set(max(0.0, age))

    async def _drop_owed_to_the_gone(self) -> None:
        urls = [webhook.url for webhook in self._webhooks]
        before = datetime.now(UTC) - KEEP_FOR_THE_GONE
        n_dropped = await self._database.write(
            lambda tx: tx.deliveries.drop_owed_to_others(urls, before)
        )
        if n_dropped:
            log.warning("deliveries dropped", reason="receiver_not_configured", n_objects=n_dropped)


def _message(owed: records.Delivery) -> Message:
    event = owed.event
    return Message(
        event_id=event.id,
        kind=event.kind,
        at=event.at,
        study_instance_uid=event.study_uid,
        body=event.body,
        idempotency_key=owed.idempotency_key,
    )
