"""What to expect of a calibration on patients that it has not seen.

Folds are of patients, never of images: two images of one patient are so alike that a fit which has
seen one of them knows the other. Everything that is fitted is fitted anew in every fold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoquality.agreement import Interval, balanced_accuracy, bootstrap, qwk
from sonoquality.calibration.cuts import N_GRADES, Grades

N_FOLDS = 5
N_REPEATS = 10
"""Ways to deal patients into folds; figures are means over them, since one way is luck."""

Images = NDArray[np.intp]
Predict = Callable[[Images, Images], Grades]
"""Fitted on the first images, grades the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well bands agree with grades, with 95 % intervals by patient."""

    balanced_accuracy: Interval
    quadratic_kappa: Interval
    confusion: tuple[tuple[int, ...], ...]  #: row: grade of people, column: band; low to high


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Bands as shipped, and as calibrated on other patients."""

    before: Figures
    after: Figures
    gain: Interval  #: of balanced accuracy, on the same draws of patients


def folds(patients: Sequence[str], grades: Grades, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Deal patients into folds, those with low images first, so that each fold has some.

    Returns:
        The fold of each image, (image,).
    """
    names, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    worst = np.full(len(names), N_GRADES)
    np.minimum.at(worst, member, grades)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(names))
    order = shuffled[np.argsort(worst[shuffled], kind="stable")]
    fold = np.empty(len(names), np.intp)
    fold[order] = np.arange(len(names)) % n_folds
    return np.asarray(fold[member], np.intp)


def out_of_fold(
    predict: Predict,
    patients: Sequence[str],
    grades: Grades,
    *,
    n_folds: int = N_FOLDS,
    n_repeats: int = N_REPEATS,
) -> NDArray[np.intp]:
    """Grade every image by fits without its patient.

    Returns:
        (repeat, image) of bands.
    """
    every = np.arange(len(grades))
    n_folds = min(n_folds, len(set(patients)))
    graded = np.empty((n_repeats, len(grades)), np.intp)
    for repeat in range(n_repeats):
        fold = folds(patients, grades, n_folds, seed=repeat)
        for each in range(n_folds):
            tested = fold == each
            graded[repeat, tested] = predict(every[~tested], every[tested])
    return graded


def compare(
    before: Grades, after: NDArray[np.intp], grades: Grades, patients: Sequence[str]
) -> Comparison:
    """Compare bands as shipped with bands of other patients' fits.

    Args:
        before: (image,).
        after: (repeat, image), from `out_of_fold`.
        grades: (image,), of people.
        patients: of each image.
    """

    def gain(some: Images) -> float:
        return _accuracy(after, grades, some) - _accuracy(before[None], grades, some)

    return Comparison(
        before=figures(before[None], grades, patients),
        after=figures(after, grades, patients),
        gain=bootstrap(gain, patients),
    )


def figures(bands: NDArray[np.intp], grades: Grades, patients: Sequence[str]) -> Figures:
    """Measure bands, (repeat, image), against people's grades."""

    def kappa(some: Images) -> float:
        return float(np.mean([qwk(each[some], grades[some], N_GRADES) for each in bands]))

    table = np.zeros((N_GRADES, N_GRADES))
    for each in bands:
        np.add.at(table, (grades, each), 1 / len(bands))
    return Figures(
        balanced_accuracy=bootstrap(lambda some: _accuracy(bands, grades, some), patients),
        quadratic_kappa=bootstrap(kappa, patients),
        confusion=tuple(tuple(round(float(n)) for n in row) for row in table),
    )


def _accuracy(bands: NDArray[np.intp], grades: Grades, some: Images) -> float:
    return float(np.mean([balanced_accuracy(each[some], grades[some]) for each in bands]))
