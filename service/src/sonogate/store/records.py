"""What the store takes and gives: small frozen records beside the words of `domain`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from sonogate.domain.instance import Header, ReceivedInstance
from sonogate.domain.study import StudyStatus
from sonogate.domain.verdict import Band, Verdict
from sonogate.settings import WebhookSettings

Body = Mapping[str, Any]


class ObjectState(StrEnum):
    """Where one object stands on its way to a verdict."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    JUDGED = "judged"


class LinkKind(StrEnum):
    """How two objects of one study belong together."""

    SUPERSEDES = "supersedes"  #: object_id clears the earlier low other_id
    TWIN = "twin"  #: object_id shows other_id once more, with calipers
    QUESTION = "question"  #: does object_id replace other_id?


class Answer(StrEnum):
    """What became of a question."""

    YES = "yes"
    NO = "no"
    WITHDRAWN = "withdrawn"  #: a better candidate was found


class EventKind(StrEnum):
    """What an event tells."""

    VERDICT = "verdict"
    STUDY = "study"
    OVERRIDE = "override"
    QUESTION = "question"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedObject:
    """One object lent to a worker until its lease ends."""

    received: ReceivedInstance
    attempts: int  #: this one included
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object with what is known of it."""

    received: ReceivedInstance
    state: ObjectState
    is_conflict: bool
    is_current: bool
    study_instance_uid: str | None
    number: int | None  #: within its study, from 1
    header: Header
    has_calipers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study's own columns; counts are computed, never stored."""

    study_instance_uid: str
    accession_number: str | None
    calling_ae: str  #: of its first object
    exam_type: str | None
    status: StudyStatus
    opened_at: datetime
    last_received_at: datetime
    last_judged_at: datetime  #: quiet is counted from here
    closed_at: datetime | None = None
    closed_by: str | None = None
    reopened: int = 0
    n_instances: int = 0  #: the last number given
    told_pending: int = 0  #: unread objects of its senders, as last told


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of a study: current content only, a caliper twin not counted."""

    received: int  #: every object of the study, older contents and twins too
    by_outcome: Mapping[str, int]  #: by effective band, else by status
    pending: int  #: objects of the study's senders without a verdict, entered or not
    reacquire: tuple[int, ...]  #: numbers
    doubtful: tuple[int, ...]  #: numbers; of no image that is in `reacquire`
    unscored: tuple[int, ...]  #: numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """One object of a study with its verdict as judged, before links and overrides."""

    object_id: str
    number: int
    sop_instance_uid: str | None
    content_sha256: str
    is_conflict: bool
    is_current: bool
    view: str | None
    effective_band: Band | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A graded, current object that may clear, or be cleared by, another of its study."""

    object_id: str
    number: int
    view: str | None
    laterality: str | None
    view_modifiers: str | None
    received_at: datetime
    acquired_at: datetime | None
    effective_band: Band
    has_calipers: bool
    fingerprint: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two objects of one study that belong together."""

    kind: LinkKind
    object_id: str
    other_id: str
    study_instance_uid: str
    similarity: float | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVerdict:
    """A verdict as judged, with what people and links made of it."""

    object_id: str
    number: int | None
    study_instance_uid: str | None
    verdict: Verdict  #: as read back: override, supersedes and superseded_by filled
    machine: Verdict  #: as judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Small pictures and the fingerprint of one object."""

    thumbnail: bytes | None = None
    heatmap: bytes | None = None
    fingerprint: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that readers are told, in order."""

    id: int
    at: datetime
    kind: str  #: verdict | study | override | question | advice
    study_uid: str | None
    object_id: str | None
    body: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTarget:
    """One receiver outside, and the kinds of events it wants."""

    url: str
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTargets:
    """Every receiver; a delivery per receiver is written with the event, in its transaction."""

    targets: tuple[DeliveryTarget, ...] = ()
    results_after_seconds: float | None = None  #: a closed study asks for results; None: never

    @classmethod
    def from_settings(
        cls, webhooks: tuple[WebhookSettings, ...], results_after_seconds: float | None = None
    ) -> Self:
        """Make the targets of the webhooks in the settings."""
        return cls(
            results_after_seconds=results_after_seconds,
            targets=tuple(
                DeliveryTarget(url=webhook.url, kinds=frozenset(webhook.events))
                for webhook in webhooks
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event owed to one receiver."""

    id: int
    event: Event
    target_url: str
    idempotency_key: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What a person did."""

    at: datetime
    by: str
    action: str
    study_uid: str | None
    object_id: str | None
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one object took to us."""

    received_posix_seconds: float
    delay_seconds: float  #: received minus acquired


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRow:
    """What is known of one sender's timing."""

    calling_ae: str
    n_objects: int
    last_received_at: datetime
    timings: tuple[Timing, ...]  #: newest last


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """How one sender sends."""

    calling_ae: str
    n_objects: int
    last_received_at: datetime
    sends_late_seconds: float | None  #: median received minus acquired; None if its clock is wrong
    clock_skewed: bool
    advice: str | None  #: key of a sentence in `messages`


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReport:
    """Objects without a verdict."""

    n_objects: int
    oldest_received_at: datetime | None
