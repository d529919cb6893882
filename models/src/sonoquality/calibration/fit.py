"""From graded images to a calibration: a monotone map of quality, or of a head's number.

The map sends the fitted bounds to the bounds of the model card, so that a band still begins where
people know it to begin, and 0 to 100 keeps its meaning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sonoquality.agreement import Interval, bootstrap, srcc
from sonoquality.arrays import Floats
from sonoquality.calibration.crossval import Comparison, Images, Predict, compare, out_of_fold
from sonoquality.calibration.cuts import N_DRAWS, Cuts, Grades, fit_cuts
from sonoquality.calibration.head import Head, fit_head

INNERMOST = (1.0, 99.0)
"""A bound on quality stays within these, so that the map can rise on both sides of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedImage:
    """What a calibration knows of an image."""

    patient: str
    grade: int  #: of people: 0 low, 1 medium, 2 high
    quality: float  #: as shipped, 0 to 100, before a gross fault lowers it
    is_forced_low: bool = False  #: by a rule that stands above the model
    numbers: Mapping[str, float] = field(default_factory=dict)  #: raw scores and severities


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A calibration, and what to expect of it."""

    knots: tuple[tuple[float, float], ...]  #: (number, quality), both rising
    head: Head | None
    cuts: Cuts  #: the bounds, on the number that the knots take
    expected: Comparison
    order: Interval  #: rank correlation of quality as shipped with the grades


def fit(
    images: Sequence[GradedImage], bounds: Cuts, *, with_head: bool = False, seed: int = 0
) -> Fitted:
    """Fit a calibration and cross-validate it by patient.

    Args:
        images: of all three grades.
        bounds: of the model card, in quality.
        with_head: whether to weigh raw scores and severities, too.
        seed: of the draws.
    """
    grades, patients = grades_of(images), [image.patient for image in images]
    every = np.arange(len(images))
    head, cuts = _fit(images, every, with_head=with_head, seed=seed)
    shipped = qualities_of(images)
    forced = np.array([image.is_forced_low for image in images])

    before = np.asarray(np.where(forced, 0, bounds.bands(shipped)), np.intp)
    after = out_of_fold(predictor(images, with_head=with_head, seed=seed), patients, grades)
    return Fitted(
        knots=knots_of(cuts, bounds, None if head is None else _values(images, every, head)),
        head=head,
        cuts=cuts,
        expected=compare(before, after, grades, patients),
        order=bootstrap(lambda some: srcc(shipped[some], grades[some]), patients),
    )


def predictor(
    images: Sequence[GradedImage], *, with_head: bool, seed: int = 0, n_draws: int = N_DRAWS
) -> Predict:
    """Return what fits on some images and grades others.

    Args:
        images: all of them.
        with_head: whether to weigh raw scores and severities, too.
        seed: of the draws.
        n_draws: of patients, for the bounds; 0: they are placed once.
    """
    forced = np.array([image.is_forced_low for image in images])

    def predict(train: Images, test: Images) -> Grades:
        head, cuts = _fit(images, train, with_head=with_head, seed=seed, n_draws=n_draws)
        bands = cuts.bands(_values(images, test, head))
        return np.asarray(np.where(forced[test], 0, bands), np.intp)

    return predict


def grades_of(images: Sequence[GradedImage]) -> Grades:
    """Return the grades, (image,)."""
    return np.array([image.grade for image in images], np.intp)


def qualities_of(images: Sequence[GradedImage]) -> Floats:
    """Return the shipped qualities, (image,)."""
    return np.array([image.quality for image in images], np.float64)


def _fit(
    images: Sequence[GradedImage],
    some: Images,
    *,
    with_head: bool,
    seed: int,
    n_draws: int = N_DRAWS,
) -> tuple[Head | None, Cuts]:
    grades = grades_of(images)[some]
    rows = [_row(images[i]) for i in some]
    head = fit_head(rows, grades) if with_head else None
    values = _values(images, some, head)
    cuts = fit_cuts(values, grades, [images[i].patient for i in some], seed, n_draws)
    return head, cuts if head else _within(cuts)


def _row(image: GradedImage) -> dict[str, float]:
    return {**image.numbers, "quality": image.quality}


def _values(images: Sequence[GradedImage], some: Images, head: Head | None) -> Floats:
    if head is None:
        return qualities_of(images)[some]
    return np.array([head.value(_row(images[i])) for i in some], np.float64)


def _within(cuts: Cuts) -> Cuts:
    least, most = INNERMOST
    low = min(max(cuts.medium_from, least), most - least)
    return Cuts(low, min(max(cuts.high_from, low + least), most))


def knots_of(cuts: Cuts, bounds: Cuts, values: Floats | None) -> tuple[tuple[float, float], ...]:
    """Return the corners of a rising map that sends `cuts` to `bounds`.

    Args:
        cuts: on the number that the map takes.
        bounds: of the model card, in quality.
        values: that number for all images, where it is a head's; none: it is quality.
    """
    if values is None:
        ends = (0.0, 100.0)
    else:
        spread = float(values.std()) or 1.0
        ends = (
            min(float(values.min()), cuts.medium_from - spread),
            max(float(values.max()), cuts.high_from + spread),
        )
    return (
        (ends[0], 0.0),
        (cuts.medium_from, bounds.medium_from),
        (cuts.high_from, bounds.high_from),
        (ends[1], 100.0),
    )
