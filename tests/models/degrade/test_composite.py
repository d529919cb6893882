"""Several faults on one image: their order, their drawing, and level 0."""

from collections import Counter

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.degrade.composite import JITTER_DB, ORDER
from tests.models.phantoms import SCANS, tissue

MASK = SCANS["fan"]
IMAGE = tissue(MASK)


def test_faults_happen_in_the_order_of_the_signal_path() -> None:
    """Sound, electronics, panel, storage: whatever the order they are named in (SCIENCE 7.4)."""
    expected = IMAGE
    for name in ("SHA", "RF", "TGC", "JPG"):
        expected = degrade.apply(name, expected, MASK, 3, 5)

    found = degrade.compose({"JPG": 3, "TGC": 3, "SHA": 3, "RF": 3}, IMAGE, MASK, 5)

    assert np.array_equal(expected, found)
    assert sorted(degrade.OPERATORS) == sorted(ORDER)


def test_nothing_outside_the_scan_changes_under_many_faults() -> None:
    """And no fault at all gives the image back."""
    changed = degrade.compose({"CON": 4, "MOT": 2, "G+": 3, "RES": 5}, IMAGE, MASK, 1)

    assert np.array_equal(changed[~MASK], IMAGE[~MASK])
    assert np.array_equal(IMAGE, degrade.compose({}, IMAGE, MASK, 1))


def test_two_faults_of_one_group_are_refused() -> None:
    """Gain too low and too high on one image mean nothing."""
    with pytest.raises(ValueError, match="different groups"):
        degrade.compose({"G-": 1, "G+": 1}, IMAGE, MASK, 0)
    with pytest.raises(ValueError, match="No operator XYZ"):
        degrade.compose({"XYZ": 1}, IMAGE, MASK, 0)


def test_drawn_faults_come_from_different_groups_and_leave_some_pristine() -> None:
    """Up to three, one in twenty none, every operator of the ladder in its turn."""
    rng = np.random.default_rng(0)
    drawn = [degrade.draw_faults(rng) for _ in range(2000)]
    sizes = Counter(len(faults) for faults in drawn)
    groups = [[degrade.OPERATORS[name].group for name in faults] for faults in drawn]

    assert {0, 1, 2, 3} == set(sizes)
    assert 0.03 < sizes[0] / len(drawn) < 0.07
    assert all(len(set(own)) == len(own) for own in groups)
    assert set(degrade.LADDER) == {name for faults in drawn for name in faults}
    assert set(degrade.LEVELS) == {level for faults in drawn for level in faults.values()}


def test_only_the_named_operators_are_drawn() -> None:
    """So that held-out ones stay unseen."""
    rng = np.random.default_rng(0)
    drawn = [degrade.draw_faults(rng, ("SPK", "HAZ", "MOT")) for _ in range(200)]

    assert {"SPK", "HAZ", "MOT"} == {name for faults in drawn for name in faults}


def test_level_zero_turns_the_gain_by_at_most_three_decibels() -> None:
    """A gain error that must not move a score, other for other seeds."""
    inside = MASK & (IMAGE > 0.1) & (IMAGE < 0.9)
    turns = [
        float(np.median((degrade.jitter(IMAGE, MASK, seed) - IMAGE)[inside])) for seed in range(40)
    ]

    assert max(np.abs(turns)) <= JITTER_DB / 60 + 1e-6
    assert min(turns) < -0.02
    assert max(turns) > 0.02
    assert np.array_equal(degrade.jitter(IMAGE, MASK, 3)[~MASK], IMAGE[~MASK])
