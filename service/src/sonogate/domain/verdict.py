"""The verdict: the one record that every door shows in the same form.

pydantic models, since this is also the public JSON schema (REST, events, webhook,
`sonogate score --json`).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sonogate.domain.advice import Advice, Remark


class Band(StrEnum):
    """How well an image will serve: the traffic light."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Ruling(StrEnum):
    """What a person may say that an image counts as: a band, or nothing to grade."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NOT_APPLICABLE = "not_applicable"


class Status(StrEnum):
    """Whether there is a quality, and if not, why."""

    PENDING = "pending"
    GRADED = "graded"
    NOT_APPLICABLE = "not_applicable"
    UNSCORABLE = "unscorable"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FindingRegion(_Frozen):
    """A rectangle in pixels of the stored frame."""

    x: int
    y: int
    width: int
    height: int


class Finding(_Frozen):
    """A named reason."""

    code: str
    label: str  #: one plain sentence: what is seen, and where
    where: str | None = None  #: the place that the sentence names: "left" | "near" | … | "all"
    severity: Annotated[float, Field(ge=0, le=1)]
    region: FindingRegion | None = None


class Frames(_Frozen):
    """Which frames the verdict rests on; DICOM frame numbers, from 1."""

    total: int
    scored: list[int]
    best: int | None = None
    worst: int | None = None


class Model(_Frozen):
    """Which model spoke."""

    name: str
    version: str
    sha256: str
    provider: str


class Calibrated(_Frozen):
    """Under which calibration of the site a verdict was made."""

    id: str  #: the first 12 hex digits of the calibration file's SHA-256
    quality: Annotated[float, Field(ge=0, le=100)]  #: as the model card alone would have it


class Override(_Frozen):
    """A person's word over the machine's."""

    band: Ruling
    reason: str
    by: str
    at: datetime


class Doubt(_Frozen):
    """That a graded picture may be no image of tissue at all.

    While nobody has said what it is, the verdict's reason and action speak of the doubt; those here
    hold once a person says that it is an image.
    """

    code: str  #: what it may be: "spectral_doppler" | "m_mode"
    reason: str | None = None
    reason_code: str | None = None
    action: str | None = None


class Seconds(_Frozen):
    """Where the time went; `total` runs from the last byte to the verdict."""

    queue: float = 0.0
    read: float = 0.0
    preprocess: float = 0.0
    infer: float = 0.0
    judge: float = 0.0
    total: float = 0.0


class Verdict(_Frozen):
    """What the gate says of one instance. UIDs are null for a plain picture."""

    sop_instance_uid: str | None = None
    series_instance_uid: str | None = None
    study_instance_uid: str | None = None
    accession_number: str | None = None
    acquired_at: datetime | None = None
    status: Status
    reason: str | None = (
        None  #: one plain sentence: why not applicable or unscorable, or the worst finding
    )
    reason_code: str | None = (
        None  #: what the reason says, in no language: "finding.blurred"; null: a person's words
    )
    reason_detail: str | None = None  #: what the reader found, for technicians; always English
    uncertain: bool = False
    doubt: Doubt | None = None
    supersedes: str | None = None  #: SOP instance UID of the earlier low that this one clears
    superseded_by: str | None = None
    override: Override | None = None
    advice: str | None = None  #: a vision-language adviser's remark: advice, not diagnosis
    advice_reason: str | None = None  #: why there is none, where one was asked for
    band: Band | None = None
    quality: Annotated[float, Field(ge=0, le=100)] | None = None
    scores: dict[str, float] = Field(default_factory=dict)  #: raw numbers by name
    severities: dict[str, float] = Field(
        default_factory=dict
    )  #: of every fault that was measured, also those too slight for a finding
    findings: list[Finding] = Field(default_factory=list)
    action: str | None = None
    frames: Frames | None = None
    model: Model | None = None
    policy_version: str | None = None
    calibration: Calibrated | None = None  #: none: thresholds of the model card or the settings
    received_at: datetime | None = None
    verdict_at: datetime | None = None
    seconds: Seconds = Seconds()

    @property
    def effective_band(self) -> Band | None:
        """The band that counts: a person's override if there is one."""
        if self.override is None:
            return self.band
        ruling = self.override.band
        return None if ruling is Ruling.NOT_APPLICABLE else Band(ruling)

    @property
    def counts_as(self) -> Band | Status:
        """The band that counts; where there is none, why not."""
        if self.override is not None and self.override.band is Ruling.NOT_APPLICABLE:
            return Status.NOT_APPLICABLE
        return self.effective_band or self.status

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may be no image at all, and nobody has said what it is."""
        return self.doubt is not None and self.override is None

    def told(
        self,
        override: Override | None,
        supersedes: str | None = None,
        superseded_by: str | None = None,
    ) -> "Verdict":
        """Return the verdict as judged with what a person and its study's images add.

        A person's word settles a doubt; an image that is not to be graded is told by that word.
        """
        added: dict[str, object] = {
            "override": override,
            "supersedes": supersedes,
            "superseded_by": superseded_by,
        }
        if override is not None and override.band is Ruling.NOT_APPLICABLE:
            added |= {"reason": override.reason, "reason_code": None, "action": None}
        elif override is not None and self.doubt is not None:
            added |= {
                "reason": self.doubt.reason,
                "reason_code": self.doubt.reason_code,
                "action": self.doubt.action,
            }
        return self.model_copy(update=added)

    def advised(self, said: Advice | None) -> "Verdict":
        """Return the verdict with an adviser's words beside it; nothing else of it changes."""
        if said is None:
            return self
        remark = said.advice.remark if isinstance(said.advice, Remark) else None
        reason = said.reason.value if said.reason else None
        return self.model_copy(update={"advice": remark, "advice_reason": reason})
