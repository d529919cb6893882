"""What a quality model says, before anyone judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sonogate.domain.frames import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which model spoke, and on what it ran."""

    name: str
    version: str
    sha256: str  #: of the model file
    provider: str  #: "tensorrt" | "cuda" | "cpu": the rung that really loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One measured fault: 0 is absent, 1 is as bad as it gets."""

    severity: float
    region: Region | None = None  #: in pixels of the stored frame; None if it is everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScore:
    """One frame's scores."""

    frame_number: int  #: DICOM frame number, from 1
    quality: float  #: calibrated by the model card to [0, 100]; 100 is best
    scores: Mapping[str, float] = field(default_factory=dict)  #: raw numbers by name
    attributes: Mapping[str, Attribute] = field(default_factory=dict)  #: by finding code


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScores:
    """All scored frames of one instance."""

    model: ModelIdentity
    frames: tuple[FrameScore, ...]
    n_total: int
    scan: Region | None = None  #: bounding box of the scan mask, in pixels of the stored frame
    uncertain: bool = (
        False  #: the model does not trust itself here (too small, far from its training)
    )
    doubt: str | None = None  #: what the picture may be in place of a B-mode image, by its code


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredStack:
    """What a scorer gives back for one stack of frames."""

    scores: FrameScores
    heats: tuple[
        NDArray[np.float32], ...
    ]  #: per frame, (height, width) of the stack, badness 0 to 1
    preprocess_seconds: float
    infer_seconds: float
