"""The JSON that goes in and out, beside the verdict and the study of `domain`."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sonogate.domain.verdict import Ruling, Verdict

UidPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x2e\x30-\x7e]+$",
        description="A DICOM UID as received. Carts send wrong ones too: any text without a slash.",
    ),
]
ObjectIdPath = Annotated[
    str,
    Path(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$", description="Our own id of one received object."),
]
Person = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(description="Who says so: initials or a role. Kept in the audit trail."),
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    Field(description="Why, in a few words; never the patient's name."),
]
CALLER = "rest"
"""Who is written down where a caller names nobody."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorBody(_Body):
    """Every error of this API has this form."""

    error: str = Field(description="A code for programs.")
    message: str = Field(description="What is wrong, in plain words.")
    remedy: str = Field(description="What to do about it.")


class FindingAction(_Body):
    """One finding that a verdict may have."""

    code: str
    action: str = Field(description="What to do about it, in plain words.")


class OverrideRequest(_Body):
    """A person's word over the machine's."""

    band: Ruling = Field(
        description="What it counts as; not_applicable: a trace, say, with no tissue to grade."
    )
    reason: Reason
    by: Person = CALLER


class Signature(_Body):
    """Who asks for a change."""

    by: Person = CALLER


class Answer(_Body):
    """The answer to "does the newer image replace the older one?"."""

    older: Annotated[int, Field(ge=1, description="Number of the earlier instance.")]
    replaces: bool
    by: Person


class Version(_Body):
    """One content received under a SOP instance UID."""

    content_sha256: str
    verdict: Verdict


class Sender(BaseModel):
    """How one cart sends."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    calling_ae: str
    n_objects: int
    last_received_at: datetime
    sends_late_seconds: float | None = Field(
        description="Median of received minus acquired; null if unknown, or the clock is wrong."
    )
    clock_skewed: bool = Field(
        description="Its acquisition times lie in our future, or a constant time behind: "
        "set its clock."
    )
    advice: str | None = Field(description="What to change on the cart, in one sentence.")


class CheckBody(_Body):
    """One thing readiness depends on."""

    ok: bool
    detail: str
    required: bool


class ReadinessBody(_Body):
    """Whether the gate can receive and judge now."""

    status: Literal["ready", "not_ready"]
    version: str
    started_at: datetime
    checks: dict[str, CheckBody]


class LiveBody(_Body):
    """The process answers."""

    status: Literal["live"] = "live"
