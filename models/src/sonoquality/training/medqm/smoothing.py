"""Labels of single copies are noisy: in training each is moved towards those of its likes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sonoquality.labelling.spoiled import Copy
from sonoquality.training.medqm.examples import Example

Likes = tuple[str, str, tuple[tuple[str, int], ...]]


def smoothed(examples: Sequence[Example], share: float) -> list[Example]:
    """Return the examples with labels moved towards the mean label of the same fault and organ.

    The few small networks behind one label err in their own ways, and their errors on one image
    say little of the next. A mixture has no likes and keeps its label.

    Args:
        examples: of training; the means are made of them alone.
        share: how far, of the way to the mean: 0 changes nothing.
    """
    if share == 0:
        return list(examples)
    found: dict[Likes, list[float]] = {}
    for each in examples:
        if each.labels is not None:
            for copy, label in zip(each.copies, each.labels, strict=True):
                found.setdefault(_likes(each, copy), []).append(float(label))
    means = {likes: float(np.mean(labels)) for likes, labels in found.items()}
    moved = []
    for each in examples:
        if each.labels is None:
            moved.append(each)
            continue
        mean = np.array([means[_likes(each, copy)] for copy in each.copies])
        moved.append(replace(each, labels=(1 - share) * each.labels + share * mean))
    return moved


def _likes(example: Example, copy: Copy) -> Likes:
    return example.organ, copy.kind, tuple(sorted(copy.faults.items()))
