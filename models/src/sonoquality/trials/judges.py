"""Who judges: the baselines of the field, and entries of the zoo."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from sonoquality.arrays import Luma, Mask
from sonoquality.attributes import measure, worse_of
from sonoquality.metrics.baselines.registry import NO_REFERENCE, no_reference
from sonoquality.metrics.by_hand import by_hand
from sonoquality.model import QualityModel
from sonoquality.preprocess import working_image

Judge = Callable[[Luma, Mask], Mapping[str, float]]
"""From a picture and its scan mask to numbers by name; of ranks, higher is better."""

RANK, QUALITY, WINDOWS = "rank", "quality", "windows"


def baselines() -> Judge:
    """Return the judge that asks every measure without a reference."""
    measures = {name: no_reference(name) for name in NO_REFERENCE}

    def judge(luma: Luma, mask: Mask) -> Mapping[str, float]:
        working = working_image(luma, mask)
        return {name: score(working.image, working.mask) for name, score in measures.items()}

    return judge


def entry(folder: Path) -> Judge:
    """Return the judge that asks an entry of the zoo.

    Its rank is the raw score, which has neither floor nor ceiling, turned so that higher is better.
    """
    model = QualityModel.load(folder, ("cpu",))
    scale = model.card.scale

    def judge(luma: Luma, mask: Mask) -> Mapping[str, float]:
        found = model.score(luma[None], mask)[0]
        raw = found.scores[scale.name]
        return {
            RANK: raw if scale.higher_is_better else -raw,
            QUALITY: found.quality,
            WINDOWS: found.scores["windows"],
        }

    return judge


def with_faults(folder: Path) -> Judge:
    """Return the judge that tells all that the gate hears: raw scores, severities, by hand."""
    model = QualityModel.load(folder, ("cpu",))

    def judge(luma: Luma, mask: Mask) -> Mapping[str, float]:
        found = model.score(luma[None], mask)[0]
        measured = measure(luma, mask, np.zeros_like(mask), found.heat)
        faults = worse_of(measured, found.faults)
        severities = {code: fault.severity for code, fault in faults.items()}
        return {QUALITY: found.quality, **found.scores, **by_hand(luma, mask), **severities}

    return judge
