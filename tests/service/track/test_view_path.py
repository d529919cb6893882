"""An equal view clears, unless the pictures contradict it; and how often it would err."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonogate.domain.verdict import Band
from sonogate.track.reacquisition import UNLIKE_BELOW
from tests.service.track.view_page import MOST_WRONG, interval, report
from tests.service.track.view_trial import (
    CHOOSING,
    REPORTED,
    Low,
    coarse,
    is_cleared,
    measure_views,
    passes,
    sideless,
    stale,
)

Clinic = Any  # the fixture of conftest.py
Cells = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Draw = Callable[[int], Cells]
STUDY = "1.2.826.1"
VIEW = "SCT:10200004"


async def test_a_label_that_the_pictures_contradict_is_asked(clinic: Clinic, draw: Draw) -> None:
    """The cart kept the label of the last image: a spleen does not clear the low liver."""
    await clinic.send(Band.LOW, view=VIEW, cells=draw(1))
    good = await clinic.send(Band.HIGH, view=VIEW, cells=draw(2))
    study = await clinic.studies.get(STUDY)

    assert ((), [1], False) == (good.cleared, study.reacquire, study.ready_to_close)
    assert [(2, 1)] == [(q.newer, q.older) for q in study.questions]


async def test_one_tap_clears_what_was_asked(clinic: Clinic, draw: Draw) -> None:
    """The low was too bad to be known again; the person knows."""
    await clinic.send(Band.LOW, view=VIEW, cells=draw(1))
    await clinic.send(Band.HIGH, view=VIEW, cells=draw(2))
    study = await clinic.studies.answer(STUDY, 2, 1, replaces=True, by="RN")

    assert ([], True) == (study.reacquire, study.ready_to_close)


async def test_a_coarse_label_clears_its_own_retake_only(clinic: Clinic, draw: Draw) -> None:
    """Every image says LIVER: the other plane is asked about, the same plane clears."""
    await clinic.send(Band.LOW, view="LIVER", cells=(draw(1) * 0.6).astype(np.uint8))
    other = await clinic.send(Band.HIGH, view="LIVER", cells=draw(2))
    again = await clinic.send(Band.HIGH, view="LIVER", cells=draw(1))

    assert ((), ("view",)) == (other.cleared, again.cleared)
    assert [] == (await clinic.studies.get(STUDY)).questions


async def test_a_low_that_shows_nothing_is_cleared_by_its_label(clinic: Clinic, draw: Draw) -> None:
    """The probe was in the air: no picture speaks against the view that was written."""
    await clinic.send(Band.LOW, view=VIEW, cells=np.zeros((32, 32), np.uint8))

    assert ("view",) == (await clinic.send(Band.HIGH, view=VIEW, cells=draw(2))).cleared


def test_a_stale_label_reaches_as_far_as_it_is_kept() -> None:
    """The second image after the low bears its view only if two labels in a row were kept."""
    first, second, none = (
        Low(REPORTED, "G-", others, 1.0) for others in ((0.9, 0.9), (0.0, 0.9), (0.0, 0.0))
    )

    assert pytest.approx((0.1 + 0.01 + 0) / 3) == stale([first, second, none], 0.1)
    assert [True, True, False] == coarse([first, second, none])
    assert [True, False, False] == sideless([first, second, none])


def test_the_interval_is_exact() -> None:
    """None of ten leaves up to 31 %; none of none leaves everything."""
    assert "0.0% of 10 (0.0% to 30.8%)" == interval(0, 10)
    assert "none of 0 (0.0% to 100.0%)" == interval(0, 0)


def test_the_trial_asks_the_rule_of_the_gate() -> None:
    """What the page's bar says is what the gate does."""
    for alike in (None, 0.0, UNLIKE_BELOW - 0.01, UNLIKE_BELOW, 1.0):
        assert passes(alike, UNLIKE_BELOW) == is_cleared(alike)


@pytest.mark.slow
def test_few_wrong_labels_clear(shared_dir: Path) -> None:
    """On real images: of wrong pairs that can be compared few clear, of right ones most do."""
    lows = measure_views(shared_dir / "data", n_low=16)
    pairs = [a for low in lows if low.part in {CHOOSING, REPORTED} for a in low.others]
    known = [alike for alike in pairs if alike is not None]

    assert len(known) > 150
    assert sum(map(is_cleared, known)) < 3 * MOST_WRONG * len(known)
    assert sum(is_cleared(low.again) for low in lows) > 0.7 * len(lows)
    assert any("coarse" in line for line in report(lows, shared_dir / "dicom"))
