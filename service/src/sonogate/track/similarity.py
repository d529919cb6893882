"""How alike two views are, by the small fingerprints that `read` makes.

A fingerprint is 32x32 uint8, row by row, of the masked scan; a cell of 0 is outside it. The earlier
image of a pair is the degraded one, so plain grey values say little: gain moves them, dropout
blanks a part. What is compared is how brightness changes from cell to cell after its level and
contrast were evened out nearby; cells outside the scan of either image do not count. The choice
and the thresholds come from `docs/results/reacquisition.md`.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter

SIDE = 32
MAX_SHIFT = 2  #: cells; a probe held again is never held the same
LEAST_SHARED = 0.3  #: share of all cells that must lie in both scans
NEARBY = 3.0  #: cells (sigma) over which level and contrast are evened out
LEAST_CONTRAST = 3.0  #: grey levels; below it there is noise, not structure
SAME_GREY = 3  #: grey levels by which compression alters a cell
SAME_SHARE = 0.85  #: calipers and their text cover less than the rest of the cells

Fingerprint = NDArray[np.uint8]  #: (32, 32)
Features = NDArray[np.float32]  #: (3, 32, 32): change down, change right, inside the scan


def similarities(newer: bytes | None, others: Sequence[bytes | None]) -> list[float | None]:
    """Compare one fingerprint with others.

    Returns:
        For each, 1 for the same, about 0 for strangers; None if one is missing, empty, or the two
        scans share too little.
    """
    one = _features(newer)
    found = [(row, _features(other)) for row, other in enumerate(others)]
    known = [(row, features) for row, features in found if features is not None]
    answers: list[float | None] = [None] * len(others)
    if one is None or not known:
        return answers
    best = _best_correlations(one, np.stack([features for _, features in known]))
    for (row, _), alike in zip(known, best, strict=True):
        answers[row] = float(alike) if alike > -1 else None
    return answers


def is_twin(first: bytes | None, second: bytes | None) -> bool:
    """Whether two fingerprints show the very same frame but for marks drawn upon it."""
    one, other = _cells(first), _cells(second)
    if one is None or other is None:
        return False
    seen = (one > 0) | (other > 0)
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return float(np.mean(difference[seen] <= SAME_GREY)) >= SAME_SHARE


def _cells(fingerprint: bytes | None) -> Fingerprint | None:
    """Return (32, 32) uint8; None if it is missing or shows nothing."""
    if fingerprint is None or len(fingerprint) != SIDE * SIDE:
        return None
    cells = np.frombuffer(fingerprint, np.uint8).reshape(SIDE, SIDE)
    return cells if int(cells.max()) > int(cells.min()) else None


@lru_cache(maxsize=512)
def _features(fingerprint: bytes | None) -> Features | None:
    """Cached, since each image meets the same neighbours; 12 KiB each, and read only."""
    cells = _cells(fingerprint)
    if cells is None:
        return None
    grey = cells.astype(np.float32)
    inside = grey > 0
    weight = gaussian_filter(inside.astype(np.float32), NEARBY) + 1e-3
    level = (grey - gaussian_filter(grey, NEARBY) / weight) * inside
    contrast = np.sqrt(gaussian_filter(level * level, NEARBY) / weight)
    even = level / (contrast + LEAST_CONTRAST)
    kept = binary_erosion(inside)
    down, right = np.gradient(even, axis=0), np.gradient(even, axis=1)
    return np.stack([down * kept, right * kept, kept]).astype(np.float32)


def _best_correlations(one: Features, others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate with each of (n, 3, 32, 32) at small shifts; -1 if too little is shared."""
    best = np.full(len(others), -1.0, np.float32)
    for down in range(-MAX_SHIFT, MAX_SHIFT + 1):
        for right in range(-MAX_SHIFT, MAX_SHIFT + 1):
            mine = one[:, _overlap(down), _overlap(right)]
            theirs = others[:, :, _overlap(-down), _overlap(-right)]
            best = np.maximum(best, _correlations(mine, theirs))
    return best


def _overlap(shift: int) -> slice:
    return slice(max(shift, 0), SIDE + min(shift, 0))


def _correlations(mine: Features, theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate (3, h, w) with (n, 3, h, w) over the cells inside both."""
    n, cells = len(theirs), mine[0].size
    inside, insides = mine[2].reshape(cells), theirs[:, 2].reshape(n, cells)
    change, changes = mine[:2].reshape(2, cells), theirs[:, :2].reshape(n, 2, cells)
    product = changes.reshape(n, -1) @ change.reshape(-1)
    energy = insides @ (change * change).sum(0)
    energies = (changes * changes).sum(1) @ inside
    alike = product / np.sqrt(np.maximum(energy * energies, 1e-6))
    shared = insides @ inside / (SIDE * SIDE)
    return np.where(shared >= LEAST_SHARED, alike, np.float32(-1.0)).astype(np.float32)
