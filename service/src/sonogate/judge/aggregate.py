"""From the frames of an instance to one quality: what a cine loop is worth.

A loop is worth its median frame: a reader pages through it, so a few bad frames do not spoil it and
a few good ones do not save it. Best and worst frame and the share of low frames are told beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from sonogate.domain.scores import Attribute, FrameScore


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopQuality:
    """One instance as a whole."""

    quality: float
    best: int  #: DICOM frame number
    worst: int
    share_low_frames: float
    scores: dict[str, float]  #: median of each raw score
    attributes: dict[str, Attribute]  #: median severity; located where the worst such frame has it


def aggregate(frames: Sequence[FrameScore], medium_from: float) -> LoopQuality:
    """Judge a loop by its frames; a still is a loop of one."""
    by_quality = sorted(frames, key=lambda frame: frame.quality)
    names = {name for frame in frames for name in frame.scores}
    codes = {code for frame in frames for code in frame.attributes}
    return LoopQuality(
        quality=float(median(frame.quality for frame in frames)),
        best=by_quality[-1].frame_number,
        worst=by_quality[0].frame_number,
        share_low_frames=sum(frame.quality < medium_from for frame in frames) / len(frames),
        scores={
            name: float(median(frame.scores[name] for frame in frames if name in frame.scores))
            for name in sorted(names)
        },
        attributes={code: loop_attribute(frames, code) for code in sorted(codes)},
    )


def loop_attribute(frames: Sequence[FrameScore], code: str) -> Attribute:
    """Return the median severity of a fault, and where its most severe frame shows it."""
    found = [frame.attributes[code] for frame in frames if code in frame.attributes]
    worst = max(found, key=lambda attribute: attribute.severity)
    return Attribute(
        severity=float(median(attribute.severity for attribute in found)), region=worst.region
    )
