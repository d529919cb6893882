"""A performed procedure step (MPPS): what a cart says of its exam (PS3.4 Annex F)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import ClassVar, Protocol

from pydantic import ConfigDict


class StepStatus(StrEnum):
    """Performed Procedure Step Status (0040,0252), in the standard's spelling."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


STEP_TRANSITIONS: Mapping[tuple[StepStatus, StepStatus], StepStatus] = {
    (StepStatus.IN_PROGRESS, StepStatus.IN_PROGRESS): StepStatus.IN_PROGRESS,
    (StepStatus.IN_PROGRESS, StepStatus.COMPLETED): StepStatus.COMPLETED,
    (StepStatus.IN_PROGRESS, StepStatus.DISCONTINUED): StepStatus.DISCONTINUED,
}
"""(status, status that an N-SET names) to the next one; what is missing may not be updated
(PS3.4 F.7.2.2)."""

FINAL_ATTRIBUTES: Mapping[StepStatus, tuple[str, ...]] = {
    StepStatus.IN_PROGRESS: (),
    StepStatus.COMPLETED: (
        "PerformedProcedureStepEndDate",
        "PerformedProcedureStepEndTime",
        "PerformedSeriesSequence",
    ),
    StepStatus.DISCONTINUED: (),
}
"""What must have been said by the time a step is in a status (PS3.4 Table F.7.2-1, final state).

Of a discontinued step nothing is asked: a cart that gave up early has no series to name.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMessage:
    """One N-CREATE or N-SET, as far as the gate reads it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64"
    )

    step_uid: str
    is_create: bool
    status: StepStatus  #: the one it names; an N-SET without one leaves it in progress
    study_uids: tuple[str, ...] = ()  #: of the scheduled steps; an N-SET names none
    references: tuple[str, ...] | None = None  #: SOP Instance UIDs; None: it says nothing of them
    said: frozenset[str] = frozenset()  #: attributes of `FINAL_ATTRIBUTES` that have a value
    calling_ae: str
    received_at: datetime
    transfer_syntax_uid: str
    data_set: bytes = field(repr=False)  #: as it came; holds patient data
    sha256: str  #: of `data_set`


class StepOutcome(Enum):
    """What became of a message."""

    TAKEN = "taken"
    REPEATED = "repeated"  #: the same message again: nothing changed
    DUPLICATE = "duplicate"  #: another step was created under this UID
    UNKNOWN = "unknown"  #: no such step was created here
    FINAL = "final"  #: completed or discontinued: it may no longer be updated
    INCOMPLETE = "incomplete"  #: it ends without what a final step must say
    CROWDED = "crowded"  #: too many steps are in progress


class Steps(Protocol):
    """Keeps performed procedure steps."""

    async def take(self, message: StepMessage) -> StepOutcome:
        """Return what became of a message, once that is durable."""
        ...
