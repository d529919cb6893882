"""Numbers by hand: as the baselines have them, and without what is drawn over the scan."""

import numpy as np
import pytest

from sonoquality.metrics.baselines.registry import no_reference
from sonoquality.metrics.by_hand import MEAN_GRADIENT, by_hand
from sonoquality.preprocess import working_image
from tests.models.phantoms import SCANS, tissue

LUMA = np.rint(tissue(SCANS["fan"], 3) * 255).astype(np.uint8)
SCAN = np.asarray(SCANS["fan"], np.bool_)


def test_the_mean_gradient_is_the_baseline_s() -> None:
    """The very function, on the very working image: figures of one hold for the other."""
    working = working_image(LUMA, SCAN)
    expected = no_reference("mean-gradient-2")(working.image, working.mask)

    assert {MEAN_GRADIENT: expected} == by_hand(LUMA, SCAN)


def test_what_is_drawn_counts_for_nothing_and_a_hidden_scan_for_no_number() -> None:
    """Text has the steepest edges of a screen; of nothing there is no mean."""
    rows, columns = (int(each.mean()) for each in np.nonzero(SCAN))
    text = np.zeros_like(SCAN)
    text[rows - 10 : rows + 10, columns - 30 : columns + 30] = True
    written = np.where(text & (np.indices(SCAN.shape).sum(axis=0) % 8 < 4), np.uint8(255), LUMA)

    plain, hidden = by_hand(LUMA, SCAN), by_hand(written, SCAN, text)
    assert hidden[MEAN_GRADIENT] == pytest.approx(plain[MEAN_GRADIENT], rel=0.02)
    assert by_hand(written, SCAN)[MEAN_GRADIENT] > 1.05 * plain[MEAN_GRADIENT]
    assert {} == by_hand(LUMA, SCAN, SCAN)
