"""Labels as their ranks: more than half of all lie within .05 of a clean image's.

A loss of labels hardly sees the order of those; a loss of their ranks sees it as well as any other.
So the network says a rank, a place among all labels, and a scale leads back from places to labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonoquality.arrays import Floats
from sonoquality.networks.medqm import N_KNOTS
from sonoquality.training.medqm.examples import Example


@dataclass(frozen=True, slots=True)
class Ranks:
    """All labels in order."""

    labels: Floats  #: (n,), rising

    @classmethod
    def among(cls, examples: Sequence[Example]) -> "Ranks":
        """Sort labels as they are; speckle alone does not count.

        Raises:
            ValueError: no example has a label.
        """
        found = [each.labels[_tissue(each)] for each in examples if each.labels is not None]
        if not found:
            raise ValueError("No image has a label; let diagnosticians judge some first.")
        return cls(np.sort(np.concatenate(found)))

    @property
    def scale(self) -> Tensor:
        """The labels (`N_KNOTS`,) at evenly spaced ranks from 0 to 1."""
        return torch.from_numpy(np.quantile(self.labels, np.linspace(0, 1, N_KNOTS))).float()

    def of(self, labels: Floats) -> Floats:
        """Return the ranks (n,) of labels (n,): the share that is lower, and half of the equals.

        NaN stays NaN.
        """
        lower, upper = (np.searchsorted(self.labels, labels, side) for side in ("left", "right"))
        return np.where(np.isnan(labels), np.nan, (lower + upper) / (2 * len(self.labels)))

    def told(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples with the ranks of their labels."""
        return [
            replace(each, ranks=None if each.labels is None else self.of(each.labels))
            for each in examples
        ]


def _tissue(example: Example) -> NDArray[np.bool_]:
    return np.array([copy.kind != "blank" for copy in example.copies])
