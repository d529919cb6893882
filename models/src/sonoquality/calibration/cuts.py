"""Two bounds on one rising number: what is medium, what is high.

A threshold errs on images below it that should lie above, and the other way round. Each of the two
is placed where the mean error over the grades is least, every grade counting the same however rare
it is. That is the least absolute error of an ordinal grade, balanced. Placed so on a hundred draws
of patients, the median bound is taken: one patient more or less hardly moves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats

Grades = NDArray[np.intp]  #: per image: 0 low, 1 medium, 2 high
N_GRADES = 3
N_DRAWS = 100
LEAST_GAP = 1e-3
"""Least share of the number's range between the bounds, so that there is a medium at all."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """The bounds of medium and high on some number."""

    medium_from: float
    high_from: float

    def bands(self, values: Floats) -> Grades:
        """Grade numbers, (image,): 0, 1 or 2."""
        return np.asarray(
            (values >= self.medium_from).astype(np.intp) + (values >= self.high_from), np.intp
        )


def fit_cuts(
    values: Floats, grades: Grades, patients: Sequence[str], seed: int = 0, n_draws: int = N_DRAWS
) -> Cuts:
    """Place the bounds on a number so that it grades as people did.

    Args:
        values: (image,), rising with quality.
        grades: (image,), 0 to 2.
        patients: of each image; images of one patient are drawn together.
        seed: of the draws.
        n_draws: of patients; 0: once, on all images.
    """
    _, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    members = [np.flatnonzero(member == each) for each in range(int(member.max()) + 1)]
    rng = np.random.default_rng(seed)
    found = [_on(values, grades)] if n_draws == 0 else []
    for _ in range(n_draws):
        drawn = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if len(np.unique(grades[drawn])) == N_GRADES:
            found.append(_on(values[drawn], grades[drawn]))
    low, high = np.median(np.array(found or [_on(values, grades)]), axis=0)
    gap = LEAST_GAP * (float(np.ptp(values)) or 1.0)
    return Cuts(medium_from=float(low), high_from=float(max(high, low + gap)))


def _on(values: Floats, grades: Grades) -> tuple[float, float]:
    weights = 1.0 / np.maximum(np.bincount(grades, minlength=N_GRADES), 1)[grades]
    low = _threshold(values, grades > 0, weights)
    return low, max(low, _threshold(values, grades > 1, weights))


def _threshold(values: Floats, above: NDArray[np.bool_], weights: Floats) -> float:
    """Return where the weighted errors are least: the middle of the best gaps between values."""
    order = np.argsort(values, kind="stable")
    x, weight, good = values[order], weights[order], above[order]
    missed = np.concatenate([[0.0], np.cumsum(weight * good)])  # good ones below the bound
    passed = np.concatenate([[0.0], np.cumsum(weight * ~good)])
    cost = missed + passed[-1] - passed
    bounds = np.concatenate([[x[0]], (x[1:] + x[:-1]) / 2, [np.nextafter(x[-1], np.inf)]])
    is_gap = np.concatenate([[True], x[1:] > x[:-1], [True]])
    best = is_gap & np.isclose(cost, cost[is_gap].min())
    return float(np.median(bounds[best]))
