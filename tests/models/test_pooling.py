"""From windows to one number and one map."""

import numpy as np
import pytest

from sonoquality.metrics.reference import image_badness
from sonoquality.pooling import area_mean, heat_map, worst_area_mean, worst_box
from sonoquality.preprocess import windows_of, working_image


def test_the_worst_region_is_the_mean_of_the_worst_area_with_a_part_of_the_last_window() -> None:
    """Half of four equal windows: the two worst; three eighths: one and a half of them."""
    values, areas = np.array([1.0, 4.0, 2.0, 3.0]), np.ones(4)

    assert worst_area_mean(values, areas, 0.5) == pytest.approx(3.5)
    assert worst_area_mean(values, areas, 0.375) == pytest.approx((4.0 + 0.5 * 3.0) / 1.5)


def test_pooling_agrees_with_the_plain_reference() -> None:
    """Two ways to add up areas give the same numbers."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 6, 9):
        values, areas = rng.normal(size=n), rng.uniform(0.5, 1.0, n)
        mean, worst, _ = image_badness(values, areas, 0.15, 0.25)

        assert area_mean(values, areas) == pytest.approx(mean)
        assert worst_area_mean(values, areas, 0.15) == pytest.approx(worst)


def test_the_heat_map_lies_where_the_window_lay() -> None:
    """A hot block of the last window comes out at its place in the frame, and nowhere else."""
    frame = np.full((600, 800), 90, dtype=np.uint8)
    scan = np.zeros(frame.shape, dtype=np.bool_)
    scan[100:436, 200:648] = True
    working = working_image(frame, scan)
    windows = windows_of(working)
    blocks = np.zeros((len(windows.corners), 14, 14), dtype=np.float32)
    blocks[windows.corners.index((112, 224)), 13, 13] = 1.0

    heat = heat_map(blocks, windows, working, (600, 800))

    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    assert 420 <= y < 436
    assert 632 <= x < 648
    assert heat[:400].max() == 0.0
    assert heat.shape == (600, 800)


def test_the_worst_box_is_the_warm_rectangle() -> None:
    """Not its single hottest cell, not the cold ground beside it, and none where all is cold."""
    heat = np.full((280, 420), 0.1, dtype=np.float32)
    heat[100:180, 60:210] = 0.7
    heat[120:135, 90:105] = 1.0
    heat[20:35, 300:315] = 0.9
    scan = np.ones(heat.shape, dtype=np.bool_)
    box = worst_box(heat, scan)

    assert box is not None
    assert np.allclose((60, 100, 210, 180), box, atol=15)
    assert worst_box(np.where(heat > 0.5, 0.4, heat).astype(np.float32), scan) is None
    scan[:, :240] = False
    outside = worst_box(heat, scan)
    assert outside is not None
    assert outside[0] >= 285


def test_a_scan_hot_all_over_is_its_own_worst_region() -> None:
    """What is hotter still is a part of it; a cool scan has a region where it is warm."""
    heat = np.full((280, 280), 0.8, dtype=np.float32)
    heat[56:112, 56:112] = 1.0
    scan = np.ones(heat.shape, dtype=np.bool_)

    assert (0, 0, 280, 280) == worst_box(heat, scan)
    mild = np.where(heat == 1.0, 0.45, 0.0).astype(np.float32)
    mild[60, 60] = 0.6
    assert (50, 50, 120, 120) == worst_box(mild, scan)


def test_the_worst_box_agrees_with_trying_all() -> None:
    """Every rectangle of cells by its own sum, on random heat."""
    heat = np.random.default_rng(4).uniform(0.0, 0.8, (28, 20)).astype(np.float32)
    scan = np.ones(heat.shape, dtype=np.bool_)
    found = worst_box(heat, scan)
    assert found is not None
    left, top, right, bottom = found
    above = heat - heat.mean()
    sums = [
        above[t:b, x:r].sum()
        for t in range(28)
        for b in range(t + 1, 29)
        for x in range(20)
        for r in range(x + 1, 21)
    ]

    assert above[top:bottom, left:right].sum() == pytest.approx(max(sums), abs=1e-3)
