"""From the frames of an instance to one quality: what a cine loop is worth.

A loop is worth its median frame: a reader pages through it, so a few bad frames do not spoil it and
a few good ones do not save it. Best and worst frame and the share of low frames are told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median

from sonogate.domain.scores import Attribute, FrameScore

EMPTY_FROM = 0.5
"""From this severity of `empty` a frame is low whatever the model says: no echo, no diagnosis."""

GROSS = ("poor_contact", "too_dark", "too_bright", "blurred", "noisy")
GROSS_FROM = 0.8
"""From this severity of a gross fault a frame is low (ADR 9). Shadow and attenuation stay out: they
may be the finding itself."""


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
    """Judge a loop by its frames, at least one; a still is a loop of one."""
    qualities = [capped(frame.quality, frame.attributes, medium_from) for frame in frames]
    attributes = loop_attributes(frames)
    n_low = sum(quality < medium_from for quality in qualities)
    return LoopQuality(
        quality=capped(median(qualities), attributes, medium_from),
        best=frames[qualities.index(max(qualities))].frame_number,
        worst=frames[qualities.index(min(qualities))].frame_number,
        share_low_frames=n_low / len(frames),
        scores=loop_scores(frames),
        attributes=attributes,
    )


def capped(quality: float, attributes: Mapping[str, Attribute], medium_from: float) -> float:
    """Lower the quality of an image without echoes, or with a gross fault, below `medium`.

    Never raises any: from just below `medium_from` at the first gross severity to half of it at the
    last; an empty image goes down to zero.
    """
    empty = severity_of(attributes, "empty")
    if empty >= EMPTY_FROM:
        return min(quality, medium_from * (1 - empty))
    gross = max(severity_of(attributes, code) for code in GROSS)
    if gross >= GROSS_FROM:
        excess = (gross - GROSS_FROM) / (1 - GROSS_FROM)
        return min(quality, medium_from * (0.98 - 0.48 * excess))
    return quality


def severity_of(attributes: Mapping[str, Attribute], code: str) -> float:
    """Return the severity of a fault; zero where it was not measured."""
    return attributes[code].severity if code in attributes else 0.0


def loop_scores(frames: Sequence[FrameScore]) -> dict[str, float]:
    """Return the median of each raw score over the frames that have it; JSON knows no NaN."""
    names = sorted({name for frame in frames for name in frame.scores})
    values = {
        name: [
            frame.scores[name] for frame in frames if isfinite(frame.scores.get(name, float("nan")))
        ]
        for name in names
    }
    return {name: float(median(found)) for name, found in values.items() if found}


def loop_attributes(frames: Sequence[FrameScore]) -> dict[str, Attribute]:
    """Return each fault's median severity, and where its most severe frame shows it."""
    codes = sorted({code for frame in frames for code in frame.attributes})
    return {code: loop_attribute(frames, code) for code in codes}


def loop_attribute(frames: Sequence[FrameScore], code: str) -> Attribute:
    """Return the median severity of a fault over the frames where it was measured."""
    found = [frame.attributes[code] for frame in frames if code in frame.attributes]
    worst = max(found, key=lambda attribute: attribute.severity)
    return Attribute(
        severity=float(median(attribute.severity for attribute in found)), region=worst.region
    )
