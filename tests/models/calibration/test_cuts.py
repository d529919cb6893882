"""Bounds on one number, and a number made of several."""

import numpy as np
import pytest

from sonoquality.calibration.cuts import Cuts, fit_cuts
from sonoquality.calibration.fit import knots_of
from sonoquality.calibration.head import fit_head

RNG = np.random.default_rng(3)


def test_bounds_lie_between_grades_that_do_not_overlap() -> None:
    """Where there is one right answer it is found, in the middle of the gap."""
    values = np.array([10.0, 12, 14, 40, 44, 48, 80, 85, 90])
    grades = np.repeat([0, 1, 2], 3)

    cuts = fit_cuts(values, grades, list("abcdefghi"), n_draws=0)

    assert Cuts(medium_from=27, high_from=64) == cuts
    assert list(grades) == list(cuts.bands(values))


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_rare_grade_weighs_as_much_as_a_common_one(share: float) -> None:
    """A site's one low in fifty is what the gate is for."""
    n = 4000
    n_low = int(share * n)
    grades = np.concatenate([np.zeros(n_low, int), np.ones(n // 2, int), np.full(n // 2, 2)])
    values = RNG.normal(np.array([20.0, 50, 80])[grades], 10)

    cuts = fit_cuts(values, grades, [str(i) for i in range(len(grades))], n_draws=20)

    assert [35, 65] == pytest.approx([cuts.medium_from, cuts.high_from], abs=4)


def test_one_patient_more_hardly_moves_a_bound() -> None:
    """A patient with many images graded against the order is one patient."""
    grades = RNG.integers(0, 3, 300)
    values = RNG.normal(np.array([20.0, 50, 80])[grades], 8)
    patients = [f"p{i // 3}" for i in range(300)]
    odd = np.full(12, 2)

    before = fit_cuts(values, grades, patients)
    after = fit_cuts(
        np.append(values, np.full(12, 30.0)), np.append(grades, odd), [*patients, *["odd"] * 12]
    )

    assert before.high_from == pytest.approx(after.high_from, abs=2)


def test_there_is_always_a_medium() -> None:
    """Also where people's medium lies above their high."""
    values, grades = np.array([1.0, 2, 60, 61, 50, 51]), np.array([0, 0, 1, 1, 2, 2])

    cuts = fit_cuts(values, grades, list("abcdef"))

    assert cuts.medium_from < cuts.high_from


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("is_head", [False, True])
def test_the_map_rises_and_sends_the_bounds_to_the_card_s(seed: int, is_head: bool) -> None:  # noqa: FBT001 - one of two cases
    """Better stays better: no calibration turns two images round."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.uniform(2, 98, 2))
    cuts, card = Cuts(float(low), float(high) + 0.5), Cuts(45, 75)

    knots = knots_of(cuts, card, rng.normal(50, 30, 40) if is_head else None)
    x, y = np.array(knots).T

    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    assert [45, 75] == pytest.approx(list(np.interp([cuts.medium_from, cuts.high_from], x, y)))


def test_a_head_finds_the_number_that_people_go_by() -> None:
    """Of three numbers one tells the grade, one its opposite, one nothing; one never varies."""
    grades = RNG.integers(0, 3, 400)
    rows = [
        {
            "sharp": float(RNG.normal(grade, 0.7)),
            "noisy": float(RNG.normal(-grade, 0.7)),
            "chance": float(RNG.normal()),
            "empty": 0.0,
        }
        for grade in grades
    ]

    head = fit_head(rows, grades)
    weight = dict(zip(head.names, head.weight, strict=True))
    values = np.array([head.value(row) for row in rows])

    assert {"sharp", "noisy", "chance"} == set(weight)
    assert weight["sharp"] > 5 * abs(weight["chance"])
    assert weight["noisy"] < -5 * abs(weight["chance"])
    assert np.corrcoef(values, grades)[0, 1] > 0.8
    assert head.value({"sharp": head.centre[head.names.index("sharp")]}) == pytest.approx(0)
