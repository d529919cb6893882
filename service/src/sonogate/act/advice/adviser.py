"""Ask about weak images on the side: after the verdict, in bounded numbers, and never in its way.

What is owed is read off the verdicts (`store.advices`). A claim, and in its transaction the entry
of the audit trail, is durable before a picture leaves. Nothing here raises into the flow or is
waited for by it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sonogate.act.advice.allowance import Allowance
from sonogate.act.advice.asking import RETRIED, Asking, Outcome
from sonogate.act.advice.exhibits import Exhibit, exhibit_of
from sonogate.act.advice.ledger import Asker, Ledger
from sonogate.act.rhythm import every, woken
from sonogate.domain.advice import Advice, AdviceKind, AdviceReason
from sonogate.errors import UnknownInstanceError
from sonogate.observe.logs import get_logger
from sonogate.settings import AdviceSettings
from sonogate.store.database import Database
from sonogate.store.transaction import Transaction

POLL_SECONDS: Final = 5.0
"""How often verdicts are looked at unasked: for retries, and for what another gate judged."""
BEAT_SECONDS: Final = 5.0
"""How often gauges are set, and what is too old is given up."""
UNREADABLE: Final = "advice unreadable"

log = get_logger()


def _nobody() -> None:
    """Tell nobody."""


@dataclass(kw_only=True)
class Adviser:
    """`run` asks unasked about low and medium images; `ask` asks for a person."""

    database: Database
    settings: AdviceSettings
    asking: Asking
    on_given: Callable[[], None] = _nobody
    allowance: Allowance = field(init=False)
    ledger: Ledger = field(init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _n_busy: int = 0

    def __post_init__(self) -> None:
        self.allowance = Allowance(self.settings.calls_per_minute)
        self.ledger = Ledger(settings=self.settings)

    def notify(self) -> None:
        """There may be a new verdict."""
        self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled; what is under way then is asked again after its claim ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(every(BEAT_SECONDS, self.look_after, UNREADABLE))
                while True:
                    self._wake.clear()
                    for exhibit in await self._claim():
                        self._n_busy += 1
                        tasks.create_task(self._advise(exhibit))
                    await woken(self._wake, POLL_SECONDS)
        finally:
            await self.asking.oracle.close()

    def wait_seconds(self) -> float:
        """Take a person's permission to ask; return 0, or how long until there is one."""
        return self.allowance.wait_seconds()

    async def ask(self, uid: str, kind: AdviceKind, asked: str, asker: Asker) -> Advice:
        """Ask for a person. A remark that was made is said again; others are kept nowhere.

        Args:
            uid: SOP Instance UID.
            kind: what is asked.
            asked: the person's own question.
            asker: who, and from where.

        Raises:
            UnknownInstanceError: no such object was received.
        """
        now = datetime.now(UTC)
        if because := self.asking.resting_because:
            return self._nothing(kind, because)
        exhibit = await self.database.write(lambda tx: self._asked(tx, uid, kind, asker, now))
        if isinstance(exhibit, Advice):
            return exhibit
        outcome = await self.asking.ask(exhibit, kind, asked)
        if kind is AdviceKind.REMARK:
            await self._keep(exhibit, outcome)
        return outcome.advice

    async def read(self, uid: str) -> Advice:
        """Return what is known of an image's remark.

        Raises:
            UnknownInstanceError: no such object was received.
        """

        def work(tx: Transaction) -> Advice:
            known = tx.advices.get(_current(tx, uid))
            return known or Advice(kind=AdviceKind.REMARK)

        return await self.database.read(work)

    async def look_after(self) -> None:
        """Set the gauges, and end what nobody will be asked about any more."""
        now = datetime.now(UTC)
        await self.database.write(lambda tx: self.ledger.give_up(tx, now))
        metrics = self.asking.metrics.advice
        metrics.pending.set(await self.database.read(lambda tx: tx.advices.n_open()))
        metrics.breaker_open.set(self.asking.resting_because is not None)

    def clock_stepped(self, step: timedelta) -> None:
        """The machine's clock was set by so much."""
        self.asking.breaker.move(step)

    def _nothing(self, kind: AdviceKind, reason: AdviceReason) -> Advice:
        return Advice(kind=kind, reason=reason, adviser=self.settings.host)

    def _asked(
        self, tx: Transaction, uid: str, kind: AdviceKind, asker: Asker, now: datetime
    ) -> Exhibit | Advice:
        object_id, attempts = _current(tx, uid), 1
        exhibit = exhibit_of(tx, object_id)
        if exhibit is None:
            return self._nothing(kind, AdviceReason.NO_PICTURE)
        if kind is AdviceKind.REMARK:
            known = tx.advices.get(object_id)
            if known is not None and known.advice is not None:
                return known
            taken = self.ledger.take(tx, object_id, now)
            if taken is None:
                return self._nothing(kind, AdviceReason.PENDING)
            attempts = taken
        self.ledger.note(tx, exhibit, kind, asker, now)
        return Exhibit(
            object_id=object_id,
            study_uid=exhibit.study_uid,
            codes=exhibit.codes,
            order=exhibit.order,
            attempts=attempts,
        )

    async def _claim(self) -> list[Exhibit]:
        """Claim what there is room for."""
        now = datetime.now(UTC)
        room = self.asking.breaker.room(now, self.settings.max_concurrent) - self._n_busy
        if room <= 0:
            return []
        try:
            due = await self.database.read(lambda tx: self.ledger.due(tx, now, room))
            if not due:
                return []
            return await self.database.write(lambda tx: self.ledger.claim(tx, due, now))
        except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end this
            log.error(UNREADABLE, exception_type=type(error).__name__)
            return []

    async def _advise(self, exhibit: Exhibit) -> None:
        try:
            await self._keep(exhibit, await self.asking.ask(exhibit, AdviceKind.REMARK))
        except Exception as error:  # noqa: BLE001 - boundary: one image must not end the others'
            log.error("advice not kept", exception_type=type(error).__name__)
        finally:
            self._n_busy -= 1
            self.notify()

    async def _keep(self, exhibit: Exhibit, outcome: Outcome) -> None:
        """Write what came of a remark, or plan the next attempt."""
        object_id, advice = exhibit.object_id, outcome.advice
        reason = advice.reason
        if reason in RETRIED and exhibit.attempts < self.settings.max_attempts:
            backoff = self.asking.backoff.seconds(exhibit.attempts)
            wait = timedelta(seconds=max(backoff, outcome.retry_after_seconds))
            again_at = datetime.now(UTC) + wait
            await self.database.write(
                lambda tx: self.ledger.postpone(tx, object_id, reason, again_at)
            )
            return
        await self.database.write(
            lambda tx: self.ledger.settle(tx, object_id, advice, outcome.seconds)
        )
        if advice.advice is not None:
            self.on_given()


def _current(tx: Transaction, uid: str) -> str:
    found = tx.objects.current(uid) if uid else None
    if found is None:
        raise UnknownInstanceError
    return str(found.received.object_id)
