"""One question: draw, ask, read. Whatever fails is a reason; a sick adviser is rested from."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sonogate.act.advice.answers import AdviceError, read_answer
from sonogate.act.advice.exhibits import Exhibit
from sonogate.act.advice.plates import draw
from sonogate.act.advice.ports import Oracle
from sonogate.act.advice.prompts import Question
from sonogate.act.backoff import Backoff
from sonogate.act.forward.breaker import Breaker, BreakerState
from sonogate.domain.advice import Advice, AdviceKind, AdviceReason, agreement
from sonogate.observe.advice_metrics import GIVEN
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.settings import AdviceSettings

RETRIED: Final = frozenset(
    {
        AdviceReason.TIMED_OUT,
        AdviceReason.UNREACHABLE,
        AdviceReason.BUSY,
        AdviceReason.SERVER_ERROR,
        AdviceReason.CRASHED,
    }
)
"""What may pass by itself; a nonsense answer is not asked for again."""
SICK: Final = RETRIED | {
    AdviceReason.DENIED,
    AdviceReason.NO_ENVIRONMENT,
    AdviceReason.NO_WEIGHTS,
    AdviceReason.WRONG_VERSION,
    AdviceReason.NOT_LOADED,
    AdviceReason.OUT_OF_MEMORY,
}
"""Reasons that are about the adviser as a whole: other images wait while it is rested from."""
UNASKED: Final = frozenset({AdviceReason.NO_PICTURE})
"""Reasons that say nothing of the adviser."""

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one question."""

    advice: Advice
    seconds: float
    retry_after_seconds: float = 0.0  #: what the adviser asked for


@dataclass(kw_only=True)
class Asking:
    """Asks one model, a few questions at once."""

    settings: AdviceSettings
    oracle: Oracle
    metrics: Metrics
    backoff: Backoff = field(default_factory=lambda: Backoff(max_seconds=300.0))
    breaker: Breaker = field(init=False)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker("adviser", self.backoff)
        self._places = asyncio.Semaphore(self.settings.max_concurrent)

    @property
    def resting_because(self) -> AdviceReason | None:
        """Why nobody is asked now; None if the adviser is asked."""
        row = self.breaker.row
        is_resting = self.breaker.state(datetime.now(UTC)) is BreakerState.OPEN
        return AdviceReason(row.reason) if row is not None and is_resting else None

    async def ask(self, exhibit: Exhibit, kind: AdviceKind, asked: str = "") -> Outcome:
        """Wait for a place, no longer than for an answer; ask, and count what came of it."""
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                await self._places.acquire()
        except TimeoutError:
            return self._without(kind, AdviceReason.BUSY)
        try:
            if because := self.resting_because:  # found out by those who were asked before
                return self._without(kind, because)
            started = time.monotonic()
            outcome = await self._attempt(exhibit, kind, asked)
            seconds = time.monotonic() - started
        finally:
            self._places.release()
        self._count(outcome, seconds)
        return replace(outcome, seconds=seconds)

    def _without(self, kind: AdviceKind, reason: AdviceReason, wait: float = 0.0) -> Outcome:
        advice = Advice(
            kind=kind,
            reason=reason,
            adviser=self.settings.host,
            model=self.oracle.model,
            at=datetime.now(UTC),
        )
        return Outcome(advice=advice, seconds=0.0, retry_after_seconds=wait)

    async def _attempt(self, exhibit: Exhibit, kind: AdviceKind, asked: str) -> Outcome:
        try:
            pictures = await draw(exhibit.order)
            if not pictures:
                raise AdviceError(AdviceReason.NO_PICTURE)
            question = Question(kind=kind, pictures=pictures, asked=asked)
            said = read_answer(kind, await self.oracle.say(question))
        except AdviceError as error:
            return self._without(kind, error.reason, error.retry_after_seconds)
        advice = Advice(
            kind=kind,
            advice=said,
            agrees=agreement(said, exhibit.codes),
            adviser=self.settings.host,
            model=self.oracle.model,
            at=datetime.now(UTC),
        )
        return Outcome(advice=advice, seconds=0.0)

    def _count(self, outcome: Outcome, seconds: float) -> None:
        kind, reason = outcome.advice.kind, outcome.advice.reason
        self.metrics.advice.calls.labels(kind.value, reason.value if reason else GIVEN).inc()
        self.metrics.advice.seconds.observe(seconds)
        if reason in SICK:
            self._rest(reason, outcome.retry_after_seconds)
        elif reason not in UNASKED and self.breaker.mend():
            log.info("adviser mended", host=self.settings.host)
        if reason:
            log.warning(
                "advice failed",
                host=self.settings.host,
                reason=reason.value,
                seconds=round(seconds, 1),
            )

    def _rest(self, reason: AdviceReason, asked_seconds: float) -> None:
        """Go easy on an adviser that fails as a whole, at least as long as it asks for."""
        now = datetime.now(UTC)
        row = self.breaker.fail(now, reason.value)
        rest_until = max(row.rest_until, now + timedelta(seconds=asked_seconds))
        self.breaker.row = replace(row, rest_until=rest_until)
