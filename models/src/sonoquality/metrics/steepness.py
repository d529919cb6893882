"""The size of the gradient of a Gaussian-smoothed picture, quickly.

The same numbers as `scipy.ndimage.gaussian_gradient_magnitude`, within 2e-7, in half the time or
less: sixteen lines at once are one small product of matrices. The gate measures it on every frame.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sonoquality.arrays import Floats, UnitImage

REACH = 4.0  #: in sigmas
LINES = 16  #: that one product makes


def gradient_magnitude(image: UnitImage, sigma_px: float) -> UnitImage:
    """Return the gradient's magnitude per pixel, (h, w), after a Gaussian of `sigma_px`.

    The picture is mirrored at its border, the border's pixels doubled, as scipy's `reflect` does.
    """
    smooth, slope = _bell(sigma_px)
    down = _along_rows(_along_rows(image, slope).T, smooth)
    across = _along_rows(_along_rows(image, smooth).T, slope)
    return np.asarray(np.sqrt(down * down + across * across).T)


def _bell(sigma_px: float) -> tuple[Floats, Floats]:
    """Return a Gaussian of unit sum and its slope, as weights of a correlation."""
    reach = int(REACH * sigma_px + 0.5)
    x = np.arange(-reach, reach + 1)
    bell = np.exp(-0.5 * x * x / sigma_px**2)
    bell /= bell.sum()
    return bell, x / sigma_px**2 * bell


def _along_rows(image: UnitImage, weights: Floats) -> UnitImage:
    """Correlate every column of (h, w) with weights."""
    reach, (height, width) = len(weights) // 2, image.shape
    n_blocks = -(-height // LINES)
    below = reach + n_blocks * LINES - height
    mirrored = np.pad(image, ((reach, below), (0, 0)), mode="symmetric")
    band = np.zeros((LINES, LINES + 2 * reach), np.float32)
    for line in range(LINES):
        band[line, line : line + len(weights)] = weights
    blocks = sliding_window_view(mirrored, band.shape[1], axis=0)[::LINES]
    found: UnitImage = np.matmul(band, blocks.transpose(0, 2, 1)).reshape(-1, width)[:height]
    return found
