"""The sections on what must not move NRQ say what their tables hold."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sonoquality.results import nrq_steady
from sonoquality.trials.pictures import VARIATIONS
from tests.models.results.test_nrq_ladders import KEYS
from tests.models.results.test_nrq_ladders import folder as folder

N = 11


@pytest.fixture
def steady(folder: Path) -> Path:
    """Images of quality 80; more gain costs 5 points, one window alone 4, all else nothing."""
    for name in ("nrq-variations-model.csv", "nrq-clean-model.csv"):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([*KEYS, "rank", "quality", "windows"])
            for i in range(N):
                copies = ("none", *VARIATIONS) if "variations" in name else ("none",)
                for copy in copies:
                    lost = {"gain +3 dB": 5, "1 window": 4}.get(copy, 0)
                    table.writerow([f"i{i}", "a", f"g{i}", copy, 0, 0, 80 + i - lost, 9])
    return folder


def test_moves_are_in_points_and_crops_from_nine_windows(steady: Path) -> None:
    """Only the gain is said to move it; the drift is in interquartile ranges."""
    said = nrq_steady.steady_section(steady)
    changes = nrq_steady.variation_changes(steady)

    assert "| gain +3 dB | 11 | 5.0 | 5.0 | -5.0 | missed |" in said
    assert "| gain -3 dB | 11 | 0.0 | 0.0 | +0.0 | reached |" in said
    assert f"{4 / 5:.2f} of" in said
    assert np.array_equal(np.full(N, -4.0), changes["1 window"])


def test_the_plot_has_a_bar_for_each(steady: Path) -> None:
    """Every variation, and every level of fault."""
    picture = np.asarray(nrq_steady.plot(steady))

    assert picture.shape[0] == nrq_steady.ROW * (len(VARIATIONS) + 5) + 10
    assert {60, 150} <= set(np.unique(picture))


def test_boxes_are_judged_at_level_four(tmp_path: Path) -> None:
    """The median of level 4 alone counts."""
    with (tmp_path / nrq_steady.BOXES_CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", *KEYS[1:], "area", "iou", "iou_boxes", "by_chance"])
        for i in range(N):
            for level, iou in ((3, 0.1), (4, 0.5), (5, 0.9)):
                table.writerow([f"i{i}", "a", f"g{i}", "SHA", level, 0.2, iou, 0.6, 0.2])
    said = nrq_steady.box_section(tmp_path)

    assert "| SHA | 11 | 0.500 [0.500, 0.500] |  | 0.60 | 0.20 | reached |" in said


def test_images_that_the_box_was_not_chosen_on_stand_beside(tmp_path: Path) -> None:
    """Those after the first twenty."""
    with (tmp_path / nrq_steady.BOXES_CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", *KEYS[1:], "area", "iou", "iou_boxes", "by_chance"])
        for i in range(31):
            table.writerow([f"i{i}", "a", f"g{i}", "SHA", 4, 0.2, 0.5 if i < 20 else 0.3, 0.6, 0.2])

    assert "| 0.30 | 0.60 | 0.20 | reached |" in nrq_steady.box_section(tmp_path)
