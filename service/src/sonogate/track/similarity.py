"""How alike two views are, by the small fingerprints that `read` makes.

A fingerprint is 32x32 uint8, row by row, of the masked scan. The earlier image of a pair is the
degraded one, so that plain grey values say little: gain moves them, dropout blanks a part. What is
compared is how brightness changes from cell to cell, which gain and attenuation leave alone.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SIDE = 32
MAX_SHIFT = 2  #: cells; a probe held again is never held the same

Fingerprint = NDArray[np.uint8]  #: (32, 32)
Features = NDArray[np.float32]


def to_array(fingerprint: bytes | None) -> Fingerprint | None:
    """Return a fingerprint as (32, 32) uint8; None if there is none or it is empty."""
    if fingerprint is None or len(fingerprint) != SIDE * SIDE:
        return None
    cells = np.frombuffer(fingerprint, np.uint8).reshape(SIDE, SIDE)
    return cells if int(cells.max()) > int(cells.min()) else None


def similarity(first: bytes | None, second: bytes | None) -> float | None:
    """Return how alike two fingerprints are, 1 for the same; None if one is missing or empty."""
    one, other = to_array(first), to_array(second)
    if one is None or other is None:
        return None
    kernel = _features(one)
    best = -1.0
    for down in range(-MAX_SHIFT, MAX_SHIFT + 1):
        for right in range(-MAX_SHIFT, MAX_SHIFT + 1):
            best = max(best, _correlation(kernel, _features(other), down, right))
    return best


def is_twin(first: bytes | None, second: bytes | None) -> bool:
    """Whether two fingerprints show the very same frame but for marks drawn upon it."""
    one, other = to_array(first), to_array(second)
    if one is None or other is None:
        return False
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return float(np.mean(difference <= 3)) >= 0.85


def _features(cells: Fingerprint) -> Features:
    """Return brightness changes down and right: (2, 32, 32)."""
    smooth = gaussian_filter(cells.astype(np.float32), 0.7)
    return np.stack([np.gradient(smooth, axis=axis) for axis in (0, 1)])


def _correlation(one: Features, other: Features, down: int, right: int) -> float:
    """Correlate the overlap of two features, the second one shifted."""
    a = one[:, max(down, 0) : SIDE + min(down, 0), max(right, 0) : SIDE + min(right, 0)]
    b = other[:, max(-down, 0) : SIDE + min(-down, 0), max(-right, 0) : SIDE + min(-right, 0)]
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
