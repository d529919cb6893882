"""When a failed destination is tried again: a dead archive is probed, not hammered."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sonogate.act.backoff import Backoff
from sonogate.store.forward_records import BreakerRow


class BreakerState(StrEnum):
    """Whether objects flow to a destination."""

    CLOSED = "closed"  #: they do
    OPEN = "open"  #: it failed; nothing is tried until the rest is over
    PROBING = "probing"  #: the rest is over: one association, to see


@dataclass
class Breaker:
    """Counts the failures in a row of one destination; its rest doubles with each."""

    destination: str
    backoff: Backoff = field(default_factory=Backoff)
    row: BreakerRow | None = None  #: None: it is well

    def state(self, now: datetime) -> BreakerState:
        """Return where it stands."""
        if self.row is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.row.rest_until else BreakerState.PROBING

    def room(self, now: datetime, associations: int) -> int:
        """Return how many associations may be open now."""
        rooms = {BreakerState.OPEN: 0, BreakerState.PROBING: 1}
        return rooms.get(self.state(now), associations)

    def fail(self, now: datetime, reason: str) -> BreakerRow:
        """Note a failure of the destination as a whole; return what is to be kept of it.

        Associations that fail together count once.
        """
        if self.row is not None and self.state(now) is BreakerState.OPEN:
            return self.row
        n_failed = (self.row.n_failed if self.row else 0) + 1
        rest = timedelta(seconds=self.backoff.seconds(n_failed))
        self.row = BreakerRow(
            destination=self.destination,
            n_failed=n_failed,
            rest_until=now + rest,
            since=self.row.since if self.row else now,
            reason=reason,
        )
        return self.row

    def move(self, step: timedelta) -> None:
        """The machine's clock was set by so much."""
        if self.row is not None:
            self.row = replace(self.row, rest_until=self.row.rest_until + step)

    def mend(self) -> bool:
        """Note a success; return whether it had failed before."""
        had_failed, self.row = self.row is not None, None
        return had_failed
