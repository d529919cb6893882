"""A study's life as a table, and what the gate knows of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sonogate.domain.procedure import StepStatus
from sonogate.domain.rejection import Rejection
from sonogate.domain.verdict import Verdict


class StudyStatus(StrEnum):
    """Where a study stands."""

    RECEIVING = "receiving"
    SETTLED = "settled"
    CLOSED = "closed"


class StudyEvent(StrEnum):
    """What can happen to a study."""

    INSTANCE_RECEIVED = "instance_received"
    QUIET = "quiet"  #: nothing came for the settle time
    QUIET_LONG = "quiet_long"  #: nothing came for the close time
    CLOSE_REQUESTED = "close_requested"
    STEP_COMPLETED = "step_completed"  #: MPPS COMPLETED, and all that it names has come


TRANSITIONS: Mapping[tuple[StudyStatus, StudyEvent], StudyStatus] = {
    (StudyStatus.RECEIVING, StudyEvent.INSTANCE_RECEIVED): StudyStatus.RECEIVING,
    (StudyStatus.RECEIVING, StudyEvent.QUIET): StudyStatus.SETTLED,
    (StudyStatus.RECEIVING, StudyEvent.QUIET_LONG): StudyStatus.CLOSED,
    (StudyStatus.RECEIVING, StudyEvent.CLOSE_REQUESTED): StudyStatus.CLOSED,
    (StudyStatus.RECEIVING, StudyEvent.STEP_COMPLETED): StudyStatus.CLOSED,
    (StudyStatus.SETTLED, StudyEvent.INSTANCE_RECEIVED): StudyStatus.RECEIVING,
    (StudyStatus.SETTLED, StudyEvent.QUIET): StudyStatus.SETTLED,
    (StudyStatus.SETTLED, StudyEvent.QUIET_LONG): StudyStatus.CLOSED,
    (StudyStatus.SETTLED, StudyEvent.CLOSE_REQUESTED): StudyStatus.CLOSED,
    (StudyStatus.SETTLED, StudyEvent.STEP_COMPLETED): StudyStatus.CLOSED,
    (
        StudyStatus.CLOSED,
        StudyEvent.INSTANCE_RECEIVED,
    ): StudyStatus.RECEIVING,  # a late image reopens, visibly
    (StudyStatus.CLOSED, StudyEvent.QUIET): StudyStatus.CLOSED,
    (StudyStatus.CLOSED, StudyEvent.QUIET_LONG): StudyStatus.CLOSED,
    (StudyStatus.CLOSED, StudyEvent.CLOSE_REQUESTED): StudyStatus.CLOSED,
    (StudyStatus.CLOSED, StudyEvent.STEP_COMPLETED): StudyStatus.CLOSED,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudyInstance(_Frozen):
    """One received object of a study, in order of arrival."""

    number: int  #: 1 for the first object that arrived
    object_id: str
    content_sha256: str
    conflict: bool  #: another object of the same SOP instance UID has other bytes
    current: bool  #: the latest content of its SOP instance UID
    twin_of: int | None = None  #: number of the caliper-free twin that counts in its stead
    replaces: int | None = None
    replaced_by: int | None = None
    view: str | None = None
    rejection: Rejection | None = None
    verdict: Verdict


class Question(_Frozen):
    """The page asks: does `newer` replace `older`?"""

    newer: int
    older: int
    similarity: float


class Performed(_Frozen):
    """What the cart itself says of the exam (MPPS); the steps of one study taken together."""

    status: StepStatus  #: in progress if one is; else completed if one is
    named: int  #: objects that the cart says it made; 0 if it did not say
    missing: int  #: those of them that have not come


class StudySummary(_Frozen):
    """A line in the list of studies."""

    study_instance_uid: str
    accession_number: str | None = None
    calling_ae: str
    exam_type: str | None = None
    status: StudyStatus
    ready_to_close: bool
    opened_at: datetime
    last_received_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None  #: "mpps" | "rest" | "quiet"
    reopened: int = 0  #: how often a late image reopened it
    received: int
    high: int
    medium: int
    low: int
    not_applicable: int
    unscorable: int
    pending: int  #: received or still unread from this sender, without a verdict
    reacquire: list[int]  #: numbers of instances that still need re-acquiring
    doubtful: list[int] = []  #: numbers of lows that may be no image: a person says what they are
    unscored: list[int]
    performed: Performed | None = None  #: none: the cart said nothing of this study


class Study(StudySummary):
    """A study with all its instances."""

    instances: list[StudyInstance]
    questions: list[Question]
    sends_late_seconds: float | None = None  #: median received minus acquired of this sender
    sender_advice: str | None = None
