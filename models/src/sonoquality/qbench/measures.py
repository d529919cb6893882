"""The measures of the three tasks, each with its 95 % interval by patient (SCIENCE 6f)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sonoquality.agreement import (
    Interval,
    auroc,
    balanced_accuracy,
    bootstrap,
    bootstrap_pairs,
    krcc,
    logistic_fit,
    macro_f1,
    pearson,
    qwk,
    rmse,
    srcc,
    two_afc,
)
from sonoquality.arrays import Floats
from sonoquality.qbench.items import GRADES, MATCHED, Bench, Item, Pair
from sonoquality.qbench.run import graded
from sonoquality.qbench.taking import TIE, Taken

CLASSIFICATION, SCORING, COMPARISON = "classification", "scoring", "comparison"
N_RESAMPLES = 300
LEAST_SCORES = 5  #: a curve of four parameters needs more points than it has parameters

Images = NDArray[np.intp]
Number = Callable[[Floats, Floats], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of one task."""

    task: str
    of: str  #: the way to a grade, the indicator, or the kind of pairs
    measure: str
    value: float
    low: float  #: of the 95 % interval; NaN where there is none
    high: float
    n: int  #: items or pairs that it is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How often the better one of a pair wins, by how far the two are apart."""

    kind: str
    gap: int
    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a confusion matrix."""

    way: str
    truth: str
    said: str  #: a grade, or `invalid`
    n: int


INVALID = "invalid"


def targets(items: Sequence[Item], indicator: str = "") -> Floats:
    """Return what scores are held against: an indicator's own, else scores, else grades 0 to 2."""
    own = [item.attrs.get(indicator) for item in items]
    if items and all(_is_number(each) for each in own):
        return np.array([float(str(each)) for each in own])
    if all(item.score is not None for item in items):
        return np.array([item.score for item in items], np.float64)
    return np.array([item.grade for item in items], np.float64)


def _is_number(written: str | None) -> bool:
    try:
        return written is not None and np.isfinite(float(written))
    except ValueError:
        return False


def measures(bench: Bench, found: Taken) -> Iterator[Measure]:
    """Return every number of an entrant's part."""
    items = graded(bench)
    yield from _classification(items, found)
    yield from _scoring(items, found)
    yield from _comparison(bench, found)


def _classification(items: Sequence[Item], found: Taken) -> Iterator[Measure]:
    labelled = np.array([at for at, item in enumerate(items) if item.label], np.intp)
    if not len(labelled):
        return
    truth = np.array([items[at].grade for at in labelled], np.float64)
    groups = [items[at].patient for at in labelled]
    for way, every in found.grades.items():
        own = every[labelled].astype(np.float64)
        for name, number in GRADE_NUMBERS.items():
            on = partial(_on, number, own, truth)
            yield _measure(CLASSIFICATION, way, name, _interval(on, groups), len(own))


def _scoring(items: Sequence[Item], found: Taken) -> Iterator[Measure]:
    for indicator, every in found.scores.items():
        valid = np.flatnonzero(np.isfinite(every)).tolist()
        if len(valid) < LEAST_SCORES:
            continue
        own, truth = every[valid], targets(items, indicator)[valid]
        groups = [items[at].patient for at in valid]
        # The curve is fitted once: its four parameters hardly move between draws of patients.
        curve = rising(own, truth)
        above = np.array([items[at].grade != 0 for at in valid], np.float64)
        numbers: Mapping[str, tuple[Number, Floats, Floats]] = {
            "SRCC": (srcc, own, truth),
            "KRCC": (krcc, own, truth),
            "PLCC": (_linear, curve, truth),
            "RMSE": (rmse, curve, truth),
            "AUROC low": (_low_or_not, own, above),
            "2AFC": (two_afc, own, truth),
        }
        for name, (number, x, y) in numbers.items():
            found_ = _interval(partial(_on, number, x, y), groups)
            yield _measure(SCORING, indicator, name, found_, len(own))


def rising(scores: Floats, truth: Floats) -> Floats:
    """Map scores to the truth's scale by a logistic curve, turned over where it would fall.

    A curve that may fall would credit a judge that is wrong throughout.
    """
    curve = logistic_fit(scores, truth)
    falls = pearson(scores, curve) < 0
    return np.asarray(2 * truth.mean() - curve, np.float64) if falls else curve


def _comparison(bench: Bench, found: Taken) -> Iterator[Measure]:
    patients = {item.id: item.patient for item in bench.items}
    for kind in dict.fromkeys(pair.kind for pair in bench.pairs):
        at = [place for place, pair in enumerate(bench.pairs) if pair.kind == kind]
        ends, groups = found.ends[at], _groups([bench.pairs[i] for i in at], patients)
        numbers: dict[str, Callable[[Images], float]] = {
            "shadow preferred" if kind == MATCHED else "accuracy": partial(_won, ends)
        }
        if found.asked_twice:
            numbers |= {
                "accuracy where consistent": partial(_won_consistently, ends),
                "consistency": partial(_consistency, ends),
                "first position": partial(_first, ends),
            }
        for name, number in numbers.items():
            interval = bootstrap_pairs(number, groups, n_resamples=N_RESAMPLES)
            yield _measure(COMPARISON, kind, name, interval, len(at))
    yield from _by_comparisons(bench, found)


def _by_comparisons(bench: Bench, found: Taken) -> Iterator[Measure]:
    """Hold the order by comparisons against the targets; scores are not fitted anew a draw."""
    items = [item for item in graded(bench) if item.id in found.thurstone]
    if len(items) < LEAST_SCORES:
        return
    own = np.array([found.thurstone[item.id] for item in items])
    on = partial(_on, srcc, own, targets(items))
    interval = _interval(on, [item.patient for item in items])
    yield _measure(COMPARISON, "all", "SRCC of Thurstone scores", interval, len(items))


def gaps(bench: Bench, found: Taken) -> Iterator[Gap]:
    """Return how often the better one wins, by kind of pair and gap."""
    patients = {item.id: item.patient for item in bench.items}
    for kind, gap in sorted({(pair.kind, pair.gap) for pair in bench.pairs}):
        at = [i for i, pair in enumerate(bench.pairs) if (pair.kind, pair.gap) == (kind, gap)]
        groups = _groups([bench.pairs[i] for i in at], patients)
        number = partial(_won, found.ends[at])
        interval = bootstrap_pairs(number, groups, n_resamples=N_RESAMPLES)
        yield Gap(
            kind=kind,
            gap=gap,
            accuracy=interval.value,
            low=interval.low,
            high=interval.high,
            n=len(at),
        )


def confusion(bench: Bench, found: Taken) -> Iterator[Cell]:
    """Return how often each grade was called what, by way."""
    items = graded(bench)
    for way, every in found.grades.items():
        for truth, label in enumerate(GRADES):
            own = [int(every[at]) for at, item in enumerate(items) if item.grade == truth]
            for said, name in (*enumerate(GRADES), (-1, INVALID)):
                yield Cell(way=way, truth=label, said=name, n=own.count(said))


def _valid_qwk(grades: Floats, truth: Floats) -> float:
    """Return kappa over valid answers; the rate of the others is told beside it."""
    valid = grades >= 0
    return qwk(grades[valid], truth[valid], len(GRADES)) if valid.any() else float("nan")


def _linear(curve: Floats, truth: Floats) -> float:
    """Return Pearson's correlation; none of a curve that is flat, where rounding would make one."""
    return pearson(curve, truth) if np.ptp(curve) > 0 else float("nan")


def _low_or_not(scores: Floats, above: Floats) -> float:
    return auroc(scores[above == 0], scores[above == 1])


#: From grades said and true grades; an invalid answer is a wrong one.
GRADE_NUMBERS: Mapping[str, Number] = {
    "accuracy": lambda x, y: float(np.mean(x == y)),
    "balanced accuracy": balanced_accuracy,
    "macro F1": macro_f1,
    "QWK": _valid_qwk,
    "invalid": lambda x, _: float(np.mean(x < 0)),
}


def _won(ends: Floats, some: Images) -> float:
    """Share of pairs whose better one won; one that depends on the order counts half."""
    return float(ends[some].mean())


def _agrees(ends: Floats) -> NDArray[np.bool_]:
    return np.asarray((ends[:, 0] == ends[:, 1]) & (ends[:, 0] != TIE), np.bool_)


def _consistency(ends: Floats, some: Images) -> float:
    """Share of pairs with the same winner whichever is shown first; a tie is no winner."""
    return float(_agrees(ends[some]).mean())


def _won_consistently(ends: Floats, some: Images) -> float:
    own = ends[some]
    agrees = _agrees(own)
    return float(own[agrees, 0].mean()) if agrees.any() else float("nan")


def _first(ends: Floats, some: Images) -> float:
    """Share of questions whose answer is the picture shown first; 0.5 without a bias."""
    return float(np.mean((ends[some, 0] + 1 - ends[some, 1]) / 2))


def _groups(pairs: Sequence[Pair], patients: Mapping[str, str]) -> list[tuple[object, object]]:
    return [(patients[pair.better], patients[pair.worse]) for pair in pairs]


def _on(number: Number, x: Floats, y: Floats, some: Images) -> float:
    return number(x[some], y[some])


def _interval(number: Callable[[Images], float], groups: Sequence[str]) -> Interval:
    return bootstrap(number, groups, n_resamples=N_RESAMPLES)


def _measure(task: str, of: str, name: str, found: Interval, n: int) -> Measure:
    return Measure(
        task=task, of=of, measure=name, value=found.value, low=found.low, high=found.high, n=n
    )
