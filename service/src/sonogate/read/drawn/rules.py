"""Thin boxes drawn over an image, upright or slanted, of any grey: no tissue has such corners."""

import numpy as np
from numpy.typing import NDArray

from sonogate.read.drawn.morphology import closed, dilate, touching
from sonogate.read.drawn.slants import find_parallelograms

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: A line is lighter than what lies this far beside it by at least so many levels.
BESIDE, CONTRAST = 3, 20
#: Neighbours along a drawn line differ by at most so many levels, compressed or not.
STEP = 16
#: Part of a line that must be seen: it may cross echoes as light as itself.
SEEN = 0.75
#: Shortest side of a box, in parts of the screen's longer side.
SHORTEST = 16


def find_boxes(luma: Luma, screen_side: int) -> Mask:
    """Return the outlines of boxes: upright or slanted lines that end on level ones.

    Args:
        luma: (height, width).
        screen_side: longer side of the whole frame, by which boxes are scaled.
    """
    length = max(16, screen_side // SHORTEST)
    level = _level(luma, length)
    if not level.any():
        return level
    upright = np.ascontiguousarray(_level(np.ascontiguousarray(luma.T), length).T)
    slanted = find_parallelograms(luma, level, length)
    if not upright.any():
        return slanted
    corners = dilate(upright, 2) & dilate(level, 2)
    boxes = touching(upright | level | corners, corners)
    outlines: Mask = closed(boxes & level, 0, length // 2)
    outlines |= closed(boxes & upright, length // 2, 0)
    return outlines | slanted


def _level(luma: Luma, length: int) -> Mask:
    """Return straight level lines of at least `length` pixels, up to three pixels thick."""
    height, width = luma.shape
    found = np.zeros(luma.shape, dtype=np.bool_)
    if height <= 2 * BESIDE or width <= length:
        return found
    middle = luma[BESIDE:-BESIDE]
    ground = np.maximum(luma[: -2 * BESIDE], luma[2 * BESIDE :])
    drawn = middle > np.minimum(ground, 255 - CONTRAST) + np.uint8(CONTRAST)
    before, after = middle[:, :-1], middle[:, 1:]
    drawn[:, 1:] &= np.maximum(before, after) - np.minimum(before, after) <= STEP
    rows = _promising(drawn, length // 4)
    lines = _runs(drawn[rows], length)
    is_line = lines.any(axis=1)
    rows, lines = rows[is_line], lines[is_line]
    found[BESIDE + rows] = lines & closed(drawn[rows], 0, length // 8)
    return found


def _promising(drawn: Mask, part: int) -> NDArray[np.intp]:
    """Return the rows in which two thirds of some part are drawn, as in every long enough line."""
    height, width = drawn.shape
    parts = drawn[:, : width // part * part].reshape(height, -1, part)
    n_drawn = parts.sum(axis=2, dtype=np.uint8)
    return np.flatnonzero(n_drawn.max(axis=1) >= 2 * part // 3)


def _runs(mask: Mask, length: int) -> Mask:
    """Keep the windows of `length` pixels along a row of which enough are set."""
    total = np.zeros((mask.shape[0], mask.shape[1] + 1), dtype=np.int32)
    np.cumsum(mask, axis=1, out=total[:, 1:])
    full = (total[:, length:] - total[:, :-length]) >= SEEN * length
    starts = np.zeros((mask.shape[0], mask.shape[1] + 1), dtype=np.int32)
    starts[:, : full.shape[1]] += full
    starts[:, length:] -= full[:, : starts.shape[1] - length]
    covered: Mask = np.cumsum(starts, axis=1)[:, : mask.shape[1]] > 0
    return covered
