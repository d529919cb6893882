"""From log-probabilities and numbers to grades and scores. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from sonoquality.arrays import Floats

Grades = NDArray[np.intp]
"""0 low to 2 high; -1 where no valid answer was given."""

N_CLUSTERS = 3
MIDDLE = 1  #: the grade of all where nothing tells them apart


def chances(logprobs: ArrayLike) -> Floats:
    """Return (..., candidate) shares by softmax over candidates; NaN where there was none."""
    return np.asarray(special.softmax(np.asarray(logprobs, np.float64), axis=-1), np.float64)


def calibrated(logprobs: ArrayLike, priors: ArrayLike) -> Floats:
    """Take what the model prefers without content out of its log-probabilities.

    Args:
        logprobs: (..., candidate) of the question about a picture.
        priors: (content, candidate) of the same question about pictures without content.

    Returns:
        (..., candidate), normalised; up to a constant, the log of chance over mean prior chance.
    """
    prior = np.log(np.maximum(chances(priors).mean(axis=0), np.finfo(np.float64).tiny))
    return np.asarray(special.log_softmax(np.asarray(logprobs) - prior, axis=-1), np.float64)


def expected(logprobs: ArrayLike, weights: Sequence[float]) -> Floats:
    """Return the mean weight of the candidates by their chances (Q-Align)."""
    return np.asarray(chances(logprobs) @ np.asarray(weights, np.float64), np.float64)


def clustered(values: Floats) -> Grades:
    """Part a whole set of numbers into three clusters, called low to high by their means.

    Transductive: what one picture is called depends on the others, and three grades come out even
    if all are alike in quality. Exact k-means of one dimension, by dynamic programming. Two values
    that differ are low and high, a single one is medium; NaN stays invalid.
    """
    valid = np.isfinite(values)
    grades = np.full(len(values), -1, np.intp)
    levels, place, counts = np.unique(values[valid], return_inverse=True, return_counts=True)
    if len(levels) < N_CLUSTERS:
        own = ((), (MIDDLE,), (0, 2))[len(levels)]
        grades[valid] = np.asarray(own, np.intp)[place]
        return grades
    first, second = _cuts(levels, counts.astype(np.float64))
    number = np.arange(len(levels))
    grades[valid] = ((number >= first).astype(np.intp) + (number >= second))[place]
    return grades


def _cuts(levels: Floats, counts: Floats) -> tuple[int, int]:
    """Return where the second and third cluster begin, at the least squared distance to means."""
    # Squares cancel badly far from zero.
    centred = levels - np.average(levels, weights=counts)
    zero = np.zeros(1)
    n, s, q = (np.concatenate([zero, np.cumsum(counts * centred**power)]) for power in (0, 1, 2))

    def cost(start: Grades, end: Grades) -> Floats:
        size = n[end] - n[start]
        return np.asarray(q[end] - q[start] - (s[end] - s[start]) ** 2 / size, np.float64)

    least, cuts = np.inf, (1, 2)
    for second in range(2, len(levels)):
        firsts = np.arange(1, second)
        both = cost(np.zeros_like(firsts), firsts) + cost(firsts, np.full_like(firsts, second))
        best = int(np.argmin(both))
        total = float(both[best] + cost(np.array(second), np.array(len(levels))))
        if total < least:
            least, cuts = total, (int(firsts[best]), second)
    return cuts


def thurstone(wins: Floats) -> Floats:
    """Return scores from comparisons: Thurstone's case V, maximum a posteriori.

    Maximises sum C_ij log Phi(s_i - s_j) - sum s^2 / 2 (2AFC-LMMs); the prior makes the scores sum
    to zero and keeps those that never lose finite.

    Args:
        wins: (item, item), how often the row was preferred to the column; halves are allowed.

    Returns:
        (item,) scores in units of one comparison's spread times the root of two.
    """
    row, column = np.nonzero(wins)
    count = wins[row, column]

    def loss(scores: Floats) -> tuple[float, Floats]:
        gap = scores[row] - scores[column]
        log_cdf = special.log_ndtr(gap)
        slope = count * np.exp(-(gap**2) / 2 - np.log(2 * np.pi) / 2 - log_cdf)
        gradient = scores.copy()
        np.subtract.at(gradient, row, slope)
        np.add.at(gradient, column, slope)
        return float(scores @ scores / 2 - count @ log_cdf), gradient

    found = optimize.minimize(loss, np.zeros(len(wins)), jac=True, method="L-BFGS-B")
    scores: Floats = np.asarray(found.x, np.float64)
    return np.asarray(scores - scores.mean(), np.float64)
