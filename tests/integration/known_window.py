"""What is known about the time between two scrapes, and what a panel may show of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.known_day import Day, Sent
from tests.integration.known_ward import Ear

ROUNDING = 1e-3
"""Of what a rate over some thirty scrapes may lose."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """The least and the most that a panel may show; both the same for a count."""

    least: float
    most: float

    def __contains__(self, value: float) -> bool:
        """Whether a value lies within, but for rounding."""
        slack = ROUNDING * max(abs(self.least), abs(self.most))
        return self.least - slack <= value <= self.most + slack


Spans = Mapping[Key, Span]


@dataclass(frozen=True, kw_only=True)
class Window:
    """All that is known about the time between two scrapes."""

    day: Day  #: of that time
    earlier: Sequence[Day]  #: before it
    ear: Ear
    since: float  #: POSIX time of the first scrape
    at: float  #: POSIX time of the last scrape
    n_scrapes: int  #: answered by the gate between the two
    owed: Sequence[Sent]  #: objects of whose verdict the receiver does not know yet
    waiting: Sequence[Sent]  #: objects that no worker has seen yet
    n_open: int  #: associations
    data_dir: Path

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.at - self.since

    @property
    def judged(self) -> list[Sent]:
        """Objects with a verdict."""
        return self.day.kept

    @property
    def graded(self) -> list[Sent]:
        """Objects with a band."""
        return [each for each in self.judged if each.judged["status"] == "graded"]

    @property
    def sent(self) -> list[Sent]:
        """Everything that was sent."""
        return [*self.day.sent, *self.waiting]
