"""Opaque plates below lines of text: rectangles of one grey that hide the echoes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.morphology import label, sizes

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: A plate keeps its grey, give or take so many levels; so many greys are tried.
EVEN, MOST_GREYS = 2, 2
#: Part of its rectangle that has this grey, and that has it or is ink.
LEAST_EVEN, LEAST_FILLED = 0.4, 0.9
#: It has so many rows and is so many times as wide at least.
LOWEST, WIDE = 8, 1.2


def find_plates(luma: Luma, ink: Mask, lines: Iterable[Box]) -> Mask:
    """Return the plates on which lines of text stand.

    Args:
        luma: (height, width).
        ink: (height, width) letters with their rims.
        lines: the boxes of the text.
    """
    found = np.zeros(luma.shape, dtype=np.bool_)
    for line in lines:
        plate = _plate(luma, ink, line)
        if plate is not None:
            found[plate] = True
    return found


def _plate(luma: Luma, ink: Mask, line: Box) -> Box | None:
    rows, columns = line
    aside = 2 * (rows.stop - rows.start)
    top, left = max(0, rows.start - aside), max(0, columns.start - aside)
    around = (slice(top, rows.stop + aside), slice(left, columns.stop + aside))
    counts = np.bincount(luma[line][~ink[line]], minlength=256)
    for _ in range(MOST_GREYS):
        grey = int(counts.argmax())
        counts[max(0, grey - EVEN) : grey + EVEN + 1] = 0
        even = np.abs(luma[around].astype(np.int16) - grey) <= EVEN
        box = _rectangle(even, ink[around])
        if box is not None and _ends_inside(box, even.shape, (top, left), luma.shape):
            return (
                slice(top + box[0].start, top + box[0].stop),
                slice(left + box[1].start, left + box[1].stop),
            )
    return None


def _ends_inside(
    box: Box, looked_at: tuple[int, ...], corner: tuple[int, int], picture: tuple[int, ...]
) -> bool:
    """Whether a box ends within what is looked at, or at an edge of the picture: no screen does."""
    return all(
        (side.start > 0 or first == 0) and (side.stop < length or first + length >= whole)
        for side, length, first, whole in zip(box, looked_at, corner, picture, strict=True)
    )


def _rectangle(even: Mask, ink: Mask) -> Box | None:
    """Return the box of the largest even part, if it is a rectangle but for the ink on it."""
    labels, n_parts = label(even & ~ink)
    if n_parts == 0:
        return None
    down, across = ndimage.find_objects(labels)[int(sizes(labels, n_parts).argmax()) - 1]
    box = (down, across)
    n_rows, n_columns = (side.stop - side.start for side in box)
    is_plate = (
        n_rows >= LOWEST
        and n_columns >= WIDE * n_rows
        and even[box].mean() >= LEAST_EVEN
        and (even | ink)[box].mean() >= LEAST_FILLED
    )
    return box if is_plate else None
