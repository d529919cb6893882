"""Labels as their ranks: more than half of all lie within .05 of a clean image's.

A loss of labels hardly sees the order of those; a loss of their ranks sees it as well as any other.
The network still says a label: what it says is only reckoned as a rank while it learns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonoquality.arrays import Floats
from sonoquality.training.medqm.examples import Example

N_KNOTS = 33
LEAST_STEP = 1e-3  #: knots lie so far apart: a finer scale would be that of single labels
BEYOND = 1.2  #: "rank" of a label of 1, which no copy has; so what is said too high can come back


@dataclass(frozen=True, slots=True)
class Ranks:
    """The share of copies whose label is lower, straight between knots."""

    labels: Tensor  #: (knot,), rising from 0 to 1
    shares: Tensor  #: (knot,), rising from 0 to `BEYOND`

    @classmethod
    def among(cls, examples: Sequence[Example]) -> "Ranks":
        """Reckon the scale of labels as they are; speckle alone does not count.

        Raises:
            ValueError: no example has a label.
        """
        found = [each.labels[_tissue(each)] for each in examples if each.labels is not None]
        if not found:
            raise ValueError("No image has a label; let diagnosticians judge some first.")
        shares = np.linspace(0, 1, N_KNOTS)
        knots = [(0.0, 0.0)]
        for label, share in zip(np.quantile(np.concatenate(found), shares), shares, strict=True):
            if label - knots[-1][0] >= LEAST_STEP:
                knots.append((float(label), float(share)))
        knots[-1] = knots[-1][0], 1.0
        labels, ranks = torch.tensor([*knots, (1.0, BEYOND)]).T.contiguous()
        return cls(labels, ranks)

    def of(self, labels: Tensor) -> Tensor:
        """Return the ranks (n,) of labels (n,); gradients pass."""
        right = torch.searchsorted(self.labels, labels.detach().contiguous())
        right = right.clamp(1, len(self.labels) - 1)
        rise, run = (each[right] - each[right - 1] for each in (self.shares, self.labels))
        out: Tensor = self.shares[right - 1] + (labels - self.labels[right - 1]) * rise / run
        return out

    def told(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples with the ranks of their labels."""
        return [replace(each, ranks=self._of_array(each.labels)) for each in examples]

    def _of_array(self, labels: Floats | None) -> Floats | None:
        if labels is None:
            return None
        return np.asarray(self.of(torch.from_numpy(labels).float()).double().numpy())


def _tissue(example: Example) -> NDArray[np.bool_]:
    return np.array([copy.kind != "blank" for copy in example.copies])
