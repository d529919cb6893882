"""Labels of single copies are noisy: in training each is moved towards those of its likes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.labelling.spoiled import Copy
from sonoquality.training.medqm.examples import Example

Likes = tuple[str, str, tuple[tuple[str, int], ...]]


def smoothed(examples: Sequence[Example], share: float) -> list[Example]:
    """Return the examples with labels moved towards the mean label of the same fault and organ.

    Ranks are moved in the same way, by themselves.

    The few small networks behind one label err in their own ways, and their errors on one image
    say little of the next. A mixture has no likes and keeps its label.

    Args:
        examples: of training; the means are made of them alone.
        share: how far, of the way to the mean: 0 changes nothing.
    """
    if share == 0:
        return list(examples)
    labels, ranks = (
        _moved([(each, getattr(each, name)) for each in examples], share)
        for name in ("labels", "ranks")
    )
    return [
        replace(each, labels=label, ranks=rank)
        for each, label, rank in zip(examples, labels, ranks, strict=True)
    ]


def _moved(given: Sequence[tuple[Example, Floats | None]], share: float) -> Iterator[Floats | None]:
    found: dict[Likes, list[float]] = {}
    for each, own in given:
        if own is not None:
            for copy, value in zip(each.copies, own, strict=True):
                found.setdefault(_likes(each, copy), []).append(float(value))
    means = {likes: float(np.mean(values)) for likes, values in found.items()}
    for each, own in given:
        if own is None:
            yield None
        else:
            mean = np.array([means[_likes(each, copy)] for copy in each.copies])
            yield (1 - share) * own + share * mean


def _likes(example: Example, copy: Copy) -> Likes:
    return example.organ, copy.kind, tuple(sorted(copy.faults.items()))
