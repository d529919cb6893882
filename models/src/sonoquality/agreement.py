"""How well numbers agree with people, or with known faults: the measures of the field.

Higher scores are taken to mean better quality throughout; a score that runs the other way is
negated by the caller. Labels of graded quality are ordered numbers (poor 0, medium 1, good 2).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from sonoquality.arrays import Floats, ShapeError


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def srcc(scores: ArrayLike, targets: ArrayLike) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one side is constant."""
    x, y = _pair(scores, targets)
    return pearson(stats.rankdata(x), stats.rankdata(y))


def pearson(scores: ArrayLike, targets: ArrayLike) -> float:
    """Pearson's correlation of the plain numbers; NaN where one side is constant."""
    x, y = _pair(scores, targets)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else float("nan")


def krcc(scores: ArrayLike, targets: ArrayLike) -> float:
    """Kendall's tau-b."""
    x, y = _pair(scores, targets)
    return float(stats.kendalltau(x, y).statistic)


def logistic_fit(scores: ArrayLike, targets: ArrayLike) -> Floats:
    """Map scores monotonically to the targets' scale by a logistic curve of four parameters.

    The usual step before PLCC and RMSE (ITU-R BT.500): both then judge agreement, not calibration.
    Where the fit does not converge a straight line is used, and of equal scores the targets' mean.
    """
    x, y = _pair(scores, targets)
    spread = float(x.std())
    if np.ptp(x) == 0:
        return np.full_like(y, y.mean())
    start = (float(y.max()), float(y.min()), float(x.mean()), spread)
    try:
        with warnings.catch_warnings():
            # How sure the parameters are is not asked for, and often can't be told.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            fitted, _ = optimize.curve_fit(_logistic, x, y, p0=start, maxfev=5000)
        return np.asarray(_logistic(x, *fitted), np.float64)
    except RuntimeError:
        return np.asarray(np.polyval(np.polyfit(x, y, 1), x), np.float64)


def _logistic(x: Floats, top: float, bottom: float, middle: float, width: float) -> Floats:
    steep = np.clip((x - middle) / (abs(width) + 1e-12), -60, 60)
    return bottom + (top - bottom) / (1 + np.exp(-steep))


def plcc(scores: ArrayLike, targets: ArrayLike) -> float:
    """Pearson's correlation after the logistic fit."""
    return pearson(logistic_fit(scores, targets), targets)


def rmse(scores: ArrayLike, targets: ArrayLike) -> float:
    """Root mean square error of numbers on one scale; fit first where they are not."""
    x, y = _pair(scores, targets)
    return float(np.sqrt(np.mean((x - y) ** 2)))


def qwk(graded: ArrayLike, targets: ArrayLike, n_grades: int) -> float:
    """Cohen's kappa with quadratic weights, of grades 0 to n_grades - 1."""
    x, y = (np.asarray(side, np.intp) for side in _pair(graded, targets))
    seen = np.zeros((n_grades, n_grades))
    np.add.at(seen, (x, y), 1)
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
    row, col = np.mgrid[0:n_grades, 0:n_grades]
    weight = (row - col) ** 2
    expected = float((weight * chance).sum())
    return 1 - float((weight * seen).sum()) / expected if expected > 0 else float("nan")


def balanced_accuracy(graded: ArrayLike, targets: ArrayLike) -> float:
    """Mean over the targets' classes of the share that was graded right."""
    x, y = _pair(graded, targets)
    return float(np.mean([np.mean(x[y == grade] == grade) for grade in np.unique(y)]))


def macro_f1(graded: ArrayLike, targets: ArrayLike) -> float:
    """Mean over the targets' classes of the harmonic mean of precision and recall."""
    x, y = _pair(graded, targets)
    found = []
    for grade in np.unique(y):
        hit = np.sum((x == grade) & (y == grade))
        found.append(2 * hit / (np.sum(x == grade) + np.sum(y == grade)))
    return float(np.mean(found))


def auroc(bad_scores: ArrayLike, good_scores: ArrayLike) -> float:
    """Chance that a random good one scores above a random bad one; ties count half."""
    bad, good = np.asarray(bad_scores, np.float64), np.asarray(good_scores, np.float64)
    if not len(bad) or not len(good):
        return float("nan")
    ranks = stats.rankdata(np.concatenate([bad, good]))
    n_above = ranks[len(bad) :].sum() - len(good) * (len(good) + 1) / 2
    return float(n_above / (len(bad) * len(good)))


def two_afc(scores: ArrayLike, targets: ArrayLike) -> float:
    """Share of pairs with unlike labels whose scores are in the same order; ties count half."""
    x, y = _pair(scores, targets)
    unlike = y[:, None] > y[None, :]
    higher = np.sign(x[:, None] - x[None, :])
    return float(np.mean((higher[unlike] + 1) / 2)) if unlike.any() else float("nan")


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[object],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Give a statistic its 95 % interval by drawing whole groups (patients) with replacement.

    Args:
        statistic: takes the indices of the images to count, repeats included.
        groups: of each image; images of one patient stand or fall together.
        n_resamples: draws; those where the statistic is not defined are left out.
        seed: of the draws.
    """
    if not len(groups):
        raise ShapeError("Nothing to draw from: pass the group of each image.")
    _, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    members = [np.flatnonzero(member == group) for group in range(int(member.max()) + 1)]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n_resamples):
        chosen = rng.integers(len(members), size=len(members))
        value = statistic(np.concatenate([members[group] for group in chosen]))
        if np.isfinite(value):
            drawn.append(value)
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (np.nan, np.nan)
    return Interval(statistic(np.arange(len(groups))), float(low), float(high))


def bootstrap_pairs(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[tuple[object, object]],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Give a statistic of pairs its 95 % interval by drawing groups (patients) with replacement.

    A pair of two groups counts as often as the product of how often both were drawn, one within a
    group as often as that was drawn: its two pictures stand or fall together.

    Args:
        statistic: takes the indices of the pairs to count, repeats included.
        groups: of the first and the second picture of each pair.
        n_resamples: draws; those where the statistic is not defined are left out.
        seed: of the draws.
    """
    if not len(groups):
        raise ShapeError("Nothing to draw from: pass the two groups of each pair.")
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    first, second = member.reshape(-1, 2).T
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n_resamples):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weight = np.where(first == second, times[first], times[first] * times[second])
        chosen = np.repeat(np.arange(len(groups)), weight)
        value = statistic(chosen) if len(chosen) else float("nan")
        if np.isfinite(value):
            drawn.append(value)
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (np.nan, np.nan)
    return Interval(statistic(np.arange(len(groups))), float(low), float(high))


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise ShapeError(
            f"Expected two equally long lists of numbers, got {x.shape} and {y.shape}."
        )
    return x, y
