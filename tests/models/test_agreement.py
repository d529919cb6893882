"""The measures of agreement, against scipy and against examples done by hand."""

import numpy as np
import pytest
from scipy import stats

from sonoquality import agreement
from sonoquality.arrays import ShapeError

RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=60)
TARGETS = np.round(SCORES + RNG.normal(size=60))  # with ties


def test_srcc_equals_scipy() -> None:
    """Ties get their mean rank."""
    assert agreement.srcc(SCORES, TARGETS) == pytest.approx(stats.spearmanr(SCORES, TARGETS)[0])


def test_pearson_equals_scipy() -> None:
    """Without a fit."""
    assert agreement.pearson(SCORES, TARGETS) == pytest.approx(stats.pearsonr(SCORES, TARGETS)[0])


def test_plcc_forgives_a_monotone_curve_that_pearson_does_not() -> None:
    """The logistic fit takes the scale out before linear agreement is asked for."""
    targets = 100 / (1 + np.exp(-3 * SCORES))

    assert agreement.plcc(SCORES, targets) > 0.999
    assert agreement.pearson(SCORES, targets) < 0.97


def test_krcc_by_hand() -> None:
    """Five of six pairs agree: (5 - 1) / 6."""
    assert agreement.krcc([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)


def test_rmse_by_hand() -> None:
    """Errors of 3 and 4: the root of 12.5."""
    assert agreement.rmse([0, 0], [3, 4]) == pytest.approx(12.5**0.5)


def test_qwk_by_hand() -> None:
    """One error of one step against what the margins give by chance.

    Grades 0, 1, 2, 2 for targets 0, 1, 2, 1: the weighted sum is 1. By chance the margins
    (1, 1, 2) and (1, 2, 1) give (2 * 1 + 1 * 4 + 1 * 1 + 1 * 1 + 2 * 4 + 4 * 1) / 4 = 5.
    """
    assert agreement.qwk([0, 1, 2, 2], [0, 1, 2, 1], 3) == pytest.approx(1 - 1 / 5)


def test_qwk_of_chance_is_about_nothing() -> None:
    """Grades that know nothing agree by chance only."""
    graded, targets = RNG.integers(0, 3, 5000), RNG.integers(0, 3, 5000)

    assert abs(agreement.qwk(graded, targets, 3)) < 0.05


def test_balanced_accuracy_counts_each_class_once() -> None:
    """Nine of nine and none of one are a half, not nine tenths."""
    assert agreement.balanced_accuracy([0] * 10, [0] * 9 + [1]) == 0.5


def test_auroc_by_hand() -> None:
    """Of six pairs four are in order and one is tied: 4.5 / 6."""
    assert agreement.auroc([1, 3], [2, 3, 4]) == pytest.approx(4.5 / 6)


def test_auroc_equals_the_u_test() -> None:
    """The area under the curve is Mann and Whitney's U over the number of pairs."""
    bad, good = SCORES[:20], SCORES[20:] + 0.5
    u = stats.mannwhitneyu(good, bad).statistic

    assert agreement.auroc(bad, good) == pytest.approx(u / (20 * 40))


def test_two_afc_asks_only_pairs_with_unlike_labels() -> None:
    """Three pairs differ in label; one of them is in the wrong order."""
    assert agreement.two_afc([5, 1, 4, 3], [1, 0, 1, 1]) == 1.0
    assert agreement.two_afc([1, 2, 3, 0], [1, 1, 1, 2]) == 0.0
    assert agreement.two_afc([5, 4, 4, 3], [1, 0, 1, 1]) == pytest.approx(1.5 / 3)


def test_a_bootstrap_by_patient_is_wider_than_one_by_image() -> None:
    """Four frames of one patient are one piece of evidence, not four."""
    patients = np.repeat(np.arange(25), 4)
    values = np.repeat(RNG.normal(size=25), 4)

    def mean(index: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> float:
        return float(values[index].mean())

    by_patient = agreement.bootstrap(mean, list(patients), seed=1)
    by_image = agreement.bootstrap(mean, list(range(100)), seed=1)

    assert by_patient.value == by_image.value
    assert by_patient.low < by_patient.value < by_patient.high
    assert by_patient.high - by_patient.low > 1.5 * (by_image.high - by_image.low)


def test_the_same_seed_draws_the_same_interval() -> None:
    """A result that is printed twice is the same twice."""
    draws = [
        agreement.bootstrap(lambda index: float(SCORES[index].mean()), list(range(60)), seed=3)
        for _ in range(2)
    ]

    assert draws[0] == draws[1]


def test_unequal_lists_are_refused() -> None:
    """A shifted list would give a number that means nothing."""
    with pytest.raises(ShapeError):
        agreement.srcc([1, 2, 3], [1, 2])
