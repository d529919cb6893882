"""What a door and the gate say to each other: four bytes of length, then JSON.

A request bears a number of its sender's, and so does its answer.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from sonogate.domain.commitment import CommitmentOutcome, CommitmentReport, CommitmentRequest
from sonogate.domain.instance import ReceivedInstance
from sonogate.domain.procedure import StepMessage, StepOutcome
from sonogate.errors import SpoolWriteError
from sonogate.receive.admission import Rule
from sonogate.receive.porter import Counted
from sonogate.settings import MIB, ListenerSettings, LogSettings, SpoolSettings

LENGTH: Final = struct.Struct(">I")
MAX_MESSAGE_BYTES: Final = 16 * MIB
"""A side that claims a longer message is broken; requests of carts are gathered up to 1 MiB."""


# What the gate says.


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The gate's first words: what the door needs to know."""

    kind: Literal["begin"] = "begin"
    listener: ListenerSettings
    spool: SpoolSettings
    log: LogSettings
    spool_dir: Path
    owner: str  #: ends the names of the door's segments and files
    has_steps: bool  #: whether MPPS is served
    has_commitments: bool  #: likewise, Storage Commitment
    has_room: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """An object is on its way to the database."""

    number: int
    has_room: bool  #: for more
    kind: Literal["taken"] = "taken"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A sender has a place, or why not."""

    number: int
    rule: Rule | None
    kind: Literal["admitted"] = "admitted"


@dataclass(frozen=True, slots=True)
class StepTaken:
    """What became of a message of a performed procedure step."""

    number: int
    outcome: StepOutcome
    kind: Literal["step_taken"] = "step_taken"


@dataclass(frozen=True, slots=True)
class CommitmentTaken:
    """What became of a request for storage commitment."""

    number: int
    outcome: CommitmentOutcome
    kind: Literal["commitment_taken"] = "commitment_taken"


@dataclass(frozen=True, slots=True)
class Failed:
    """The gate could not do what was asked."""

    number: int
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """Send a report on the association that asked for it."""

    number: int
    asked: int  #: number of the request for commitment
    report: CommitmentReport
    kind: Literal["report"] = "report"


@dataclass(frozen=True, slots=True)
class Settled:
    """These objects are in the database."""

    object_ids: tuple[str, ...]
    kind: Literal["settled"] = "settled"


@dataclass(frozen=True, slots=True)
class Room:
    """Whether more objects are taken."""

    has_room: bool
    kind: Literal["room"] = "room"


@dataclass(frozen=True, slots=True)
class Ping:
    """Say that you live."""

    kind: Literal["ping"] = "ping"


@dataclass(frozen=True, slots=True)
class Reload:
    """Take the certificates anew."""

    kind: Literal["reload"] = "reload"


@dataclass(frozen=True, slots=True)
class Stop:
    """Answer what is under way, then end."""

    kind: Literal["stop"] = "stop"


# What a door says.


@dataclass(frozen=True, slots=True)
class Ready:
    """The door answers."""

    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Pong:
    """The door lives: it hears, and says this."""

    kind: Literal["pong"] = "pong"


@dataclass(frozen=True, slots=True)
class Announce:
    """An object is durable: enter it; its sender waits for `Taken`."""

    number: int
    instance: ReceivedInstance
    kind: Literal["announce"] = "announce"


@dataclass(frozen=True, slots=True)
class Knock:
    """A sender asks for a place."""

    number: int
    calling_ae: str
    peer_address: str
    kind: Literal["knock"] = "knock"


@dataclass(frozen=True, slots=True)
class Leave:
    """A sender gives its place back."""

    calling_ae: str
    peer_address: str
    kind: Literal["leave"] = "leave"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted since: what, its label, its value."""

    counts: tuple[tuple[Counted, str, float], ...]
    kind: Literal["counts"] = "counts"


@dataclass(frozen=True, slots=True)
class Refused:
    """A peer was turned away: a note for the audit trail."""

    action: str
    peer: str
    peer_address: str
    rule: str
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class StepSaid:
    """A cart says something of a performed procedure step."""

    number: int
    message: StepMessage
    kind: Literal["step_said"] = "step_said"


@dataclass(frozen=True, slots=True)
class CommitmentAsked:
    """A cart asks whether something is kept for good."""

    number: int
    request: CommitmentRequest
    kind: Literal["commitment_asked"] = "commitment_asked"


@dataclass(frozen=True, slots=True)
class Reported:
    """What a cart answered to a report; None: nothing."""

    number: int
    status: int | None
    kind: Literal["reported"] = "reported"


ToDoor = (
    Begin
    | Taken
    | Admitted
    | StepTaken
    | CommitmentTaken
    | Failed
    | Report
    | Settled
    | Room
    | Ping
    | Reload
    | Stop
)
ToGate = (
    Ready
    | Pong
    | Announce
    | Knock
    | Leave
    | Counts
    | Refused
    | StepSaid
    | CommitmentAsked
    | Reported
)

TO_DOOR: Final[TypeAdapter[ToDoor]] = TypeAdapter(Annotated[ToDoor, Field(discriminator="kind")])
TO_GATE: Final[TypeAdapter[ToGate]] = TypeAdapter(Annotated[ToGate, Field(discriminator="kind")])


Answer = Taken | Admitted | StepTaken | CommitmentTaken | Failed


def answer_in(message: Answer) -> object:
    """Return what an answer of the gate says; an error if it failed."""
    match message:
        case Taken(has_room=has_room):
            return has_room
        case Admitted(rule=rule):
            return rule
        case StepTaken(outcome=outcome) | CommitmentTaken(outcome=outcome):
            return outcome
        case Failed():
            return SpoolWriteError("The gate could not keep it; send again.")


def pack(body: bytes) -> bytes:
    """Put the length before the body."""
    return LENGTH.pack(len(body)) + body
