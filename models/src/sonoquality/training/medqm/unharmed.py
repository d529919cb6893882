"""What is known without a diagnostician: a clean image costs nothing, of whatever organ.

Few judge muscle and lung, so copies of them have no label. A network that learned from the others
alone calls some of their clean images poor. What a clean image and a harmless change are worth is
the same by definition, whoever would judge.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.training.medqm.examples import Example

UNHARMED = ("clean", "jitter")


def with_clean_labels(examples: Sequence[Example]) -> list[Example]:
    """Return the examples; where there is no label, unharmed copies get that of their likes.

    Args:
        examples: of training; those with labels give the mean label of each kind of copy.
    """
    means = {kind: _mean(examples, kind) for kind in UNHARMED}
    return [replace(each, labels=_known(each, means)) for each in examples]


def _mean(examples: Sequence[Example], kind: str) -> float:
    found = [
        label
        for each in examples
        if each.labels is not None
        for copy, label in zip(each.copies, each.labels, strict=True)
        if copy.kind == kind
    ]
    return float(np.mean(found)) if found else float("nan")


def _known(example: Example, means: dict[str, float]) -> Floats:
    if example.labels is not None:
        return example.labels
    return np.array([means.get(copy.kind, np.nan) for copy in example.copies])
