"""From log-probabilities to grades and scores: numbers by hand."""

import numpy as np
import pytest

from sonoquality.qbench.reading import calibrated, chances, clustered, expected, thurstone


def test_a_score_is_the_mean_weight_by_chance() -> None:
    """Odds of 3 to 1 between the best and the worst word are 0.75."""
    assert 0.75 == pytest.approx(float(expected(np.log([3.0, 1.0]), (1.0, 0.0))))
    assert [0.75, 0.25] == pytest.approx(list(chances(np.log([3.0, 1.0]))))


def test_calibration_takes_the_habit_out() -> None:
    """Twice as likely as without content beats four times as likely by habit."""
    without_content = np.log([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]])
    found = calibrated(np.log([0.7, 0.1, 0.2]), without_content)

    assert 2 == int(np.argmax(found))
    assert [0.7 / 0.7, 0.1 / 0.2, 0.2 / 0.1] == pytest.approx(list(3.5 * np.exp(found)))


def test_clusters_are_the_best_cut_of_the_whole_set() -> None:
    """As many as fit together, called by their order; an invalid answer stays invalid."""
    values = np.array([5.0, 0.0, 9.0, 0.1, np.nan, 5.2, 9.1, 8.8, 0.2])

    assert [1, 0, 2, 0, -1, 1, 2, 2, 0] == clustered(values).tolist()


def test_clusters_far_from_zero_are_the_same() -> None:
    """Squares of large numbers cancel; the numbers are centred first."""
    values = np.array([0.0, 0.1, 5.0, 5.2, 9.0, 9.1])

    assert [0, 0, 1, 1, 2, 2] == clustered(values + 1e9).tolist()


def test_clusters_are_the_least_squares_of_all_cuts() -> None:
    """Against trying every pair of cuts on random numbers."""
    values = np.sort(np.random.default_rng(3).normal(size=25) ** 3)
    costs = {
        (a, b): sum(part.var() * len(part) for part in np.split(values, [a, b]))
        for a in range(1, 24)
        for b in range(a + 1, 25)
    }
    first, second = min(costs, key=lambda cut: costs[cut])

    assert [first, second - first, 25 - second] == np.bincount(clustered(values)).tolist()


@pytest.mark.parametrize(
    ("values", "grades"), [([], []), ([4.0, 4.0], [1, 1]), ([4.0, 2.0, 4.0], [2, 0, 2])]
)
def test_fewer_values_than_clusters_are_called_plainly(
    values: list[float], grades: list[int]
) -> None:
    """One is medium, two are low and high."""
    assert grades == clustered(np.array(values)).tolist()


def test_comparisons_give_scores_in_their_order() -> None:
    """A beats B, B beats C; not all have met, sums are zero, wins without loss stay finite."""
    scores = thurstone(np.array([[0, 2, 0], [0, 0, 2], [0, 0, 0]], np.float64))

    assert scores[0] > scores[1] > scores[2]
    assert 0 == pytest.approx(scores.sum(), abs=1e-6)
    assert 0 == pytest.approx(scores[1], abs=1e-4)


def test_scores_of_comparisons_solve_their_equation() -> None:
    """Two items, c wins to none: the score s solves 2 c phi(2 s) / Phi(2 s) = 2 s (by hand)."""
    from scipy.stats import norm

    scores = thurstone(np.array([[0, 3], [0, 0]], np.float64))

    s = float(scores[0])
    assert s == pytest.approx(3 * norm.pdf(2 * s) / norm.cdf(2 * s), abs=1e-4)


def test_halves_of_each_side_are_a_tie() -> None:
    """A pair whose winner depends on the order says nothing."""
    assert [0.0, 0.0] == pytest.approx(list(thurstone(np.array([[0, 1], [1, 0]], np.float64))))
