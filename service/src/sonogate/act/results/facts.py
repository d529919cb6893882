"""What there is to say of a study: plain records, so that equal facts are equal bytes.

No patient data: those are copied from a stored object while a result is written, and stay in it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sonogate.domain.verdict import Band, Finding, Frames, Model, Status

Kind = Literal["report", "advice", "rejection"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rejection(_Frozen):
    """That an image shall not be used, why, and who says so."""

    reason: str  #: code value in CID 7011
    by: str
    at: datetime
    by_person: bool = True  #: False: the site's policy


class Revocation(_Frozen):
    """That an image was rejected and is not any more."""

    rejected_by: str  #: SOP Instance UID of the note that does not hold any more


class ImageFacts(_Frozen):
    """One image that was judged."""

    number: int  #: within its study, from 1
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    n_frames: int = 1
    status: Status
    band: Band | None = None  #: the one that counts
    machine_band: Band | None = None
    quality: float | None = None
    uncertain: bool = False
    in_doubt: bool = False  #: it may be no image at all, and nobody has said what it is
    findings: tuple[Finding, ...] = ()
    frames: Frames | None = None
    model: Model | None = None
    policy_version: str | None = None
    by_person: bool = False  #: an override holds
    is_replaced: bool = False
    is_twin: bool = False  #: shows another image once more, with calipers
    rejection: Rejection | None = None
    revocation: Revocation | None = None


class StudyFacts(_Frozen):
    """A study's images that were judged, in their order."""

    study_instance_uid: str
    images: tuple[ImageFacts, ...]


class Earlier(_Frozen):
    """A result that a new one supersedes."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


class Place(_Frozen):
    """Where an object's bytes are."""

    path: str
    offset: int = 0
    size_bytes: int | None = None  #: None: to the end of the file


class Order(_Frozen):
    """One result to write."""

    kind: Kind
    version: int  #: from 1, within the study and kind
    facts: StudyFacts  #: for advice and rejection: only the images they are about
    said_at: datetime  #: aware; when what is said came to hold
    sources: tuple[Place, ...]  #: objects of the same study; the first readable names the patient
    earlier: Earlier | None = None
    series_number: int
    device: str  #: the gate's AE title: names the observer


class Written(_Frozen):
    """One result as written."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    part10: bytes


class Answer(_Frozen):
    """What became of an order: what was written, or why nothing was."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    written: Written | None = None
    refused: str = ""  #: "no_source", or the type of an exception


class Orders(_Frozen):
    """What one scribe is asked to write."""

    orders: tuple[Order, ...]


class Answers(_Frozen):
    """What it answers, in the order of the orders."""

    answers: tuple[Answer, ...]


def digest(order_of: Kind, facts: StudyFacts) -> str:
    """Return a SHA-256 (lower-case hex) that is equal while there is nothing new to say.

    A report says everything; advice is new only with other images or reasons, and a rejection only
    with another decision: that its image was replaced meanwhile is no second rejection.
    """
    hashed = hashlib.sha256()
    for image in facts.images:
        hashed.update(_said(order_of, image).encode())
    return hashed.hexdigest()


def _said(kind: Kind, image: ImageFacts) -> str:
    if kind == "report":
        return image.model_dump_json()
    decision = image.rejection.model_dump_json() if image.rejection else ""
    codes = [] if kind == "rejection" else [finding.code for finding in image.findings]
    return "\n".join((image.sop_instance_uid, decision, *codes, ""))


def advised(facts: StudyFacts) -> tuple[ImageFacts, ...]:
    """Return the images that still need re-acquiring: low, and no later one stands for them."""
    return tuple(
        image
        for image in facts.images
        if image.band is Band.LOW
        and not (image.in_doubt or image.is_replaced or image.is_twin)
        and image.rejection is None
    )


def only(facts: StudyFacts, images: Iterable[ImageFacts]) -> StudyFacts:
    """Return the facts of some images of a study."""
    return facts.model_copy(update={"images": tuple(images)})
