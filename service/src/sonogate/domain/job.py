"""What passes between the gate and a scoring worker: a job in, an examination out.

Pixels never pass; the spool file does. Small pictures for people (thumbnail, heat map) come back as
PNG bytes.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from sonogate.domain.instance import Header, MediaType, Span
from sonogate.domain.scores import FrameScores, ModelIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One object to read and score."""

    object_id: str
    path: str  #: absolute path of a file of the spool, readable by the worker
    span: Span | None = None  #: the object's part of that file; all of it if None
    media_type: MediaType
    max_frames: int = 8


class Outcome(StrEnum):
    """How an examination ended."""

    SCORED = "scored"
    NOT_APPLICABLE = "not_applicable"
    UNSCORABLE = "unscorable"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeconds:
    """Wall time of each stage inside the worker."""

    read: float = 0.0
    preprocess: float = 0.0
    infer: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A worker's answer for one job."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64"
    )

    object_id: str
    outcome: Outcome
    reason_code: str | None = None  #: key in `messages` for not_applicable and unscorable
    reason_detail: str | None = None  #: never patient text
    header: Header = field(default_factory=Header)
    scores: FrameScores | None = None
    thumbnail_png: bytes | None = None  #: masked: no patient text; grey, longer side <= 320
    heatmap_png: bytes | None = None  #: RGBA, same size as the thumbnail
    fingerprint: bytes | None = (
        None  #: 32x32 uint8 of the masked scan, row by row; for view similarity
    )
    has_calipers: bool = False
    seconds: StageSeconds = StageSeconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A worker's first words: the model it loaded and the bands the model card proposes."""

    model: ModelIdentity
    high_from: float
    medium_from: float
    rungs_failed: tuple[str, ...] = ()  #: why each better provider did not load, in plain words
    unconfined: tuple[str, ...] = ()  #: confinement steps that this system did not allow
