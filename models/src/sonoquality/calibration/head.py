"""One rising number made of several: an ordinal logistic model, its weights shrunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from sonoquality.arrays import Floats
from sonoquality.calibration.cuts import N_GRADES, Grades

SHRINKAGE = 1.0
"""Weight of the squared coefficients, against the mean log-likelihood of some hundred images."""
LEAST_SPREAD = 1e-6
"""A number that varies less says nothing and is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A weighted sum of standardised numbers; one that is missing counts as average."""

    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]

    def value(self, numbers: Mapping[str, float]) -> float:
        """Return the sum for one image."""
        return sum(
            weight * (numbers.get(name, centre) - centre) / scale
            for name, centre, scale, weight in zip(
                self.names, self.centre, self.scale, self.weight, strict=True
            )
        )


def fit_head(rows: Sequence[Mapping[str, float]], grades: Grades) -> Head:
    """Fit a proportional-odds model in which every grade weighs the same.

    Args:
        rows: the numbers of each image by name; all names of the first must be in each.
        grades: (image,), 0 to 2.
    """
    every = tuple(sorted(rows[0]))
    table = np.array([[row[name] for name in every] for row in rows], np.float64)
    centre, spread = table.mean(axis=0), table.std(axis=0)
    kept = np.flatnonzero(spread > LEAST_SPREAD)
    scaled = (table[:, kept] - centre[kept]) / spread[kept]
    weight = _fitted(scaled, grades)
    return Head(
        names=tuple(every[i] for i in kept),
        centre=tuple(float(centre[i]) for i in kept),
        scale=tuple(float(spread[i]) for i in kept),
        weight=tuple(float(each) for each in weight),
    )


def _fitted(x: Floats, grades: Grades) -> Floats:
    balance = 1.0 / np.maximum(np.bincount(grades, minlength=N_GRADES), 1)[grades] / N_GRADES
    n = len(grades)

    def loss(parameters: NDArray[np.float64]) -> float:
        low, gap, weight = parameters[0], np.exp(parameters[1]), parameters[2:]
        z = x @ weight
        bounds = np.array([-np.inf, low, low + gap, np.inf])
        chance = special.expit(bounds[grades + 1] - z) - special.expit(bounds[grades] - z)
        fit = -float(balance @ np.log(np.maximum(chance, 1e-12)))
        return fit + SHRINKAGE * float(weight @ weight) / n

    start = np.concatenate([[-0.7, 0.3], np.zeros(x.shape[1])])
    found = optimize.minimize(loss, start, method="L-BFGS-B")
    return np.asarray(found.x[2:], np.float64)
