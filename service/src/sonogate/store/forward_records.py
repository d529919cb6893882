"""What is passed on, to whom, and where each piece stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from sonogate.domain.instance import ReceivedInstance
from sonogate.settings import DestinationSettings


class ForwardState(StrEnum):
    """Where one item stands on its way to one destination."""

    HELD = "held"  #: waits for a decision (`hold_low_until_decided`), at most until `hold_until`
    OWED = "owed"  #: to be sent, or being sent; tried again until it ends in one of the others
    DONE = "done"  #: the destination took it; durable there as far as its answer says so
    REFUSED = "refused"  #: it never will as things are; an alarm tells, a person may retry
    DROPPED = "dropped"  #: its destination left the settings


UNFINISHED = (ForwardState.HELD, ForwardState.OWED, ForwardState.REFUSED)
"""States in which a destination may still ask for the bytes."""


class Release(StrEnum):
    """What let a held object go."""

    VERDICT = "verdict"  #: its verdict is not low
    OVERRIDE = "override"  #: a person spoke
    SUPERSEDED = "superseded"  #: a good re-acquisition stands for it
    CLOSED = "closed"  #: its study was closed
    TIMED_OUT = "timed_out"  #: `hold_seconds` are over
    SETTINGS = "settings"  #: its destination holds nothing any more


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeResult:
    """A DICOM object of our own making (SR, KOS): a whole Part 10 file, durable before it is owed.

    Its maker keeps the file until `Forwards.wants_file` says no.
    """

    result_id: str  #: a ULID; the same result under the same id is owed once
    file_name: str  #: within the folder of results (`Settings.results_dir`); no path, no UID
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str  #: it is sent after what its study owed before


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination as far as the queue must know it."""

    name: str
    holds: bool = False  #: `hold_low_until_decided`
    hold_seconds: float = 0.0
    wants_results: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Every destination; a row for each is written in the transaction that enters an object."""

    all: tuple[Destination, ...] = ()

    @classmethod
    def from_settings(cls, destinations: tuple[DestinationSettings, ...]) -> Self:
        """Make the destinations of the settings."""
        return cls(
            all=tuple(
                Destination(
                    name=each.name,
                    holds=each.mode == "hold_low_until_decided",
                    hold_seconds=each.hold_seconds,
                    wants_results=each.wants_results,
                )
                for each in destinations
            )
        )

    def __bool__(self) -> bool:
        return bool(self.all)

    @property
    def names(self) -> list[str]:
        """Every name."""
        return [each.name for each in self.all]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """One item owed to one destination: a received object, or a result of ours."""

    id: int
    destination: str
    lane: str  #: items of one lane are sent in order; the study, where it is known
    attempts: int
    created_at: datetime
    received: ReceivedInstance | None = None
    result: MadeResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneHead:
    """A lane that has something due."""

    lane: str
    is_fresh: bool  #: something of it came lately: it goes before any backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one item stands with one destination."""

    destination: str
    state: ForwardState
    reason: str | None = None  #: of the last failure, or why it was refused
    settled_at: datetime | None = None  #: when it was done, refused or dropped
    hold_until: datetime | None = None  #: a held one goes then at the latest
    release: Release | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOf:
    """The queue of one destination."""

    by_state: Mapping[ForwardState, int] = field(default_factory=dict)
    oldest_owed_at: datetime | None = None
    oldest_held_at: datetime | None = None
    refusals: Mapping[str, int] = field(default_factory=dict)  #: refused ones by reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRow:
    """Whether a destination is rested from; kept, so that a restart does not hammer a dead one."""

    destination: str
    n_failed: int  #: failures in a row of the destination as a whole
    rest_until: datetime
    since: datetime  #: of the first of these failures
    reason: str


def hold_until(destination: Destination, received_at: datetime) -> datetime | None:
    """Return when an object that is held goes at the latest; None where nothing is held."""
    if not destination.holds:
        return None
    return received_at + timedelta(seconds=destination.hold_seconds)


Lanes = Sequence[str | None]
"""The study of each object of a batch; None where it can't be told from its first bytes."""
