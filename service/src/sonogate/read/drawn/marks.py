"""Marks with a form of their own: the plus signs and crosses of a measurement, and grey bars."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.morphology import closed, label

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SHORTEST = 6
WHITE = 215
LIT = 24
#: Grey levels by which neighbours in a row of a bar may differ, compressed or not.
ROW_STEP = 4
#: On a smaller screen the sides of a bar are blended with what is beside them.
SMALL_SCREEN = 480
#: Part of its rectangle that a bar fills: arrows and dots may stand on it.
LEAST_FILLED, LEAST_FILLED_SMALL = 0.8, 0.5
#: A bar may be so narrow if it is so many times as high, and runs over so many levels.
NARROW, TIMES_AS_HIGH, NARROW_LEVELS = 4, 6, 120


def find_crosses(luma: Luma, colour: Mask, screen_side: int) -> Mask:
    """Return plus signs and diagonal crosses, white or coloured, whole or with an open middle.

    Args:
        luma: (height, width).
        colour: (height, width) saturated pixels.
        screen_side: longer side of the whole frame, by which marks are scaled.
    """
    longest = max(14, screen_side // 24)
    found = np.zeros(luma.shape, dtype=np.bool_)
    white = luma >= WHITE
    whole = closed(white, max(1, screen_side // 320))
    for drawn in (white, whole, colour):
        for box, shape in _parts(drawn):
            if is_cross(shape, longest):
                found[box] |= shape
    return found


def _parts(mask: Mask, shortest: int = SHORTEST) -> Iterator[tuple[tuple[slice, slice], Mask]]:
    labels, _ = label(mask)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = box[0], box[1]
        if min(rows.stop - rows.start, columns.stop - columns.start) >= shortest:
            yield (rows, columns), labels[rows, columns] == number


def is_cross(shape: Mask, longest: int) -> bool:
    """Whether a connected shape, cut to its bounding box, is a plus sign or a diagonal cross.

    Args:
        shape: (height, width), True on the strokes.
        longest: longest side of a mark in pixels.
    """
    height, width = shape.shape
    if min(height, width) < SHORTEST or max(height, width) > longest:
        return False
    if max(height, width) > 1.35 * min(height, width) or shape.mean() > 0.62:
        return False
    return _is_plus(shape) or _is_diagonal(shape)


def _is_plus(shape: Mask) -> bool:
    height, width = shape.shape
    row = shape[height // 2 - 1 : height // 2 + 2].any(axis=0).mean()
    column = shape[:, width // 2 - 1 : width // 2 + 2].any(axis=1).mean()
    third_h, third_w = max(2, height // 3), max(2, width // 3)
    corners = (
        shape[:third_h, :third_w],
        shape[:third_h, -third_w:],
        shape[-third_h:, :third_w],
        shape[-third_h:, -third_w:],
    )
    return bool(row > 0.9 and column > 0.9 and max(c.mean() for c in corners) < 0.15)


def _is_diagonal(shape: Mask) -> bool:
    height, width = shape.shape
    side = max(height, width)
    rows = np.linspace(0, height - 1, side).round().astype(int)
    columns = np.linspace(0, width - 1, side).round().astype(int)
    falling, rising = shape[rows, columns], shape[rows, columns[::-1]]
    third_h, third_w = height // 3, width // 3
    depth_h, depth_w = max(1, third_h // 2), max(1, third_w // 2)
    middles = (
        shape[:depth_h, third_w:-third_w],
        shape[-depth_h:, third_w:-third_w],
        shape[third_h:-third_h, :depth_w],
        shape[third_h:-third_h, -depth_w:],
    )
    empty = max(m.mean() if m.size else 1.0 for m in middles) < 0.2
    return bool(falling.mean() > 0.85 and rising.mean() > 0.85 and empty)


def find_bars(luma: Luma, screen_side: int) -> Mask:
    """Return upright grey bars: narrow, filled, every row of one grey, from light to dark or back.

    Args:
        luma: (height, width).
        screen_side: longer side of the whole frame.
    """
    found = np.zeros(luma.shape, dtype=np.bool_)
    widest = max(10, screen_side // 25)
    least_filled = LEAST_FILLED_SMALL if screen_side < SMALL_SCREEN else LEAST_FILLED
    labels, _ = label(_flat(luma, screen_side))
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if width > widest or height < max(3 * width, 12):
            continue
        is_filled = (labels[rows, columns] == number).mean() > least_filled
        if is_filled and _is_ramp(luma[rows, columns], screen_side):
            below = slice(max(0, rows.start - 1), min(luma.shape[0], rows.stop + height // 2))
            found[below, max(0, columns.start - 2) : columns.stop + 2] = True
    return found


def _flat(luma: Luma, screen_side: int) -> Mask:
    """Return lit pixels that are as light as their neighbours in the row, and nearly as above."""
    deep = luma.astype(np.int16)
    across = np.abs(np.diff(deep, axis=1)) <= ROW_STEP
    down = np.abs(np.diff(deep, axis=0)) <= ROW_STEP * max(2, 1280 // screen_side)
    flat = luma > LIT
    if screen_side < SMALL_SCREEN:
        flat[:, 1:-1] &= across[:, :-1] | across[:, 1:]
    else:
        flat[:, 1:-1] &= across[:, :-1] & across[:, 1:]
    flat[1:] &= down
    return flat


def _is_ramp(bar: Luma, screen_side: int) -> bool:
    height, width = bar.shape
    if width < NARROW and height < max(TIMES_AS_HIGH * width, screen_side // 16):
        return False
    core = bar[:, 1:-1] if bar.shape[1] > 4 else bar
    even = float(np.median(core.std(axis=1))) < 6
    steps = np.diff(np.median(core, axis=1))
    one_way = max(float((steps >= -2).mean()), float((steps <= 2).mean())) > 0.95
    least = 60 if width >= NARROW else NARROW_LEVELS
    return even and one_way and float(np.ptp(np.median(core, axis=1))) > least
