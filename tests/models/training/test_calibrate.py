"""The anchors stand where the scale's meaning says."""

import numpy as np
import pytest

from sonoquality.training.calibrate import PHYSICS, QUALITY, Sample, anchors_of
from sonoquality.training.experts import ExpertsRecipe


def scored(n: int, n_windows: int, *, shift: float = 0.0) -> list[Sample]:
    """Return clean samples with badness 0 to 1 and grossly spoiled ones around 20."""
    clean = [
        Sample(badness=shift + float(b), n_windows=n_windows, gross=False)
        for b in np.linspace(0, 1, n)
    ]
    return clean + [Sample(badness=shift + 20.0, n_windows=n_windows, gross=True)] * n


def test_anchors_lie_at_the_clean_quantiles_and_the_gross_median() -> None:
    """Of the best 97 %: median 90, 85th percentile 75, 97th percentile 45; level 5 at 5."""
    anchors = anchors_of(scored(2001, 6))[1]

    assert (0.97 * 0.5, 0.97 * 0.85, 0.97 * 0.97, 20.0) == pytest.approx(anchors.badness, abs=1e-3)
    assert QUALITY == anchors.quality
    assert (90.0, 5.0) == pytest.approx(
        (anchors.to_quality(0.485), anchors.to_quality(20.0)), abs=0.1
    )


def test_bins_of_window_counts_are_calibrated_apart() -> None:
    """A small image with the same standing gets the same quality as a large one."""
    small, middle, large = anchors_of(scored(200, 1, shift=5.0) + scored(200, 6))

    assert small.to_quality(5.5) == pytest.approx(middle.to_quality(0.5), abs=0.1)
    assert (2, 6, 99) == (small.max_windows, middle.max_windows, large.max_windows)


def test_pieces_do_not_place_the_anchors_of_whole_images() -> None:
    """With the recipe's two bins, images of three windows and of nine are calibrated together."""
    bins = ExpertsRecipe().calibration_bins
    pieces, whole = scored(283, 2, shift=-5.0), [*scored(192, 4), *scored(88, 9)]
    small, large = anchors_of([*pieces, *whole], 0.0, bins)

    assert (2, 99) == bins
    assert anchors_of(pieces, 0.0, (99,))[0].badness == small.badness
    assert anchors_of(whole, 0.0, (99,))[0].badness == large.badness


def test_a_bin_with_few_images_takes_the_anchors_of_the_one_before() -> None:
    """Three percent of a handful of images place no threshold."""
    _, middle, large = anchors_of(scored(200, 6) + scored(90, 9, shift=50.0))

    assert middle.badness == large.badness


def test_the_scale_falls_even_where_gross_faults_score_like_clean_images() -> None:
    """The last anchor never stands before the third."""
    clean = [s for s in scored(200, 6) if not s.gross]
    weak = [Sample(badness=0.1, n_windows=6, gross=True)] * 200

    assert all(np.diff(anchors_of(clean + weak)[1].badness) > 0)


def test_storage_and_text_faults_are_no_physics() -> None:
    """JPEG, resampling and overlays do not set the lower end of the scale."""
    assert {"G-", "CON", "ATT", "SPK"} <= set(PHYSICS)
    assert not {"JPG", "ANN", "RES", "QNT"} & set(PHYSICS)
