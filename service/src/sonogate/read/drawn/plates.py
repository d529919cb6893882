"""Opaque plates below lines of text: rectangles of one grey that hide the echoes.

They are looked for twice: around every line of words, where a plate may be as black as the screen;
and, where letters stand on grey, as what is left of that grey and of the letters when all that is
thin is taken away. Tissue of the plate's own grey touches it, and words are not always found.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.morphology import dilate, label, opened, sizes

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: A plate keeps its grey, give or take so many levels; so many greys are tried.
EVEN, MOST_GREYS = 2, 2
#: Part of its rectangle that has this grey, and that has it or is ink.
LEAST_EVEN, LEAST_FILLED = 0.4, 0.9
#: It has so many rows and is so many times as wide at least.
LOWEST, WIDE = 8, 1.2
#: Letters stand on grey where at least so many flat pixels that are no blacker lie so near to them.
LEAST_FLAT, NEAR, BLACK = 16, 4, 4
#: A plate is thicker than 2 * THIN; outlines and rows of speckle that touch it are not.
THIN = 4
#: Ink covers so much of a plate at least; it covers so much of the picture at most.
LEAST_INK, LARGEST = 0.05, 0.1
#: Of what lies right beside it, at most this part has its grey: in dark fluid nearly all has.
GOES_ON = 0.5


def find_plates(luma: Luma, ink: Mask, lines: Iterable[Box]) -> Mask:
    """Return the plates on which lines of text stand.

    Args:
        luma: (height, width).
        ink: (height, width) letters with their rims.
        lines: the boxes of the text.
    """
    found = _below_letters(luma, ink)
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


def _below_letters(luma: Luma, ink: Mask) -> Mask:
    """Return the plates of the greys on which letters stand, wherever they are."""
    found = np.zeros(luma.shape, dtype=np.bool_)
    for grey in _greys_below(luma, ink):
        even = np.abs(luma.astype(np.int16) - grey) <= EVEN
        labels, _ = label(opened(even | ink, THIN))
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            plate = _trimmed(labels[rows, columns] == number, (rows, columns))
            if _is_plate(plate, even, ink):
                found[plate] = True
    return found


def _greys_below(luma: Luma, ink: Mask) -> list[int]:
    """Return the commonest greys, none of them black, of flat ground beside ink."""
    if not ink.any():
        return []
    spread = ndimage.maximum_filter(luma, 3) - ndimage.minimum_filter(luma, 3)
    flat = (spread <= 2 * EVEN) & dilate(ink, NEAR) & ~ink & (luma > BLACK)
    counts = np.bincount(luma[flat], minlength=256)
    greys = []
    for _ in range(MOST_GREYS):
        grey = int(counts.argmax())
        if counts[grey] >= LEAST_FLAT:
            greys.append(grey)
        counts[max(0, grey - EVEN) : grey + EVEN + 1] = 0
    return greys


def _trimmed(part: Mask, box: Box) -> Box:
    """Return the box without rows and columns at its sides that the part hardly fills."""
    top, bottom, left, right = 0, part.shape[0], 0, part.shape[1]
    while bottom - top >= LOWEST and right - left >= LOWEST:
        rest = part[top:bottom, left:right]
        filled = [side.mean() for side in (rest[0], rest[-1], rest[:, 0], rest[:, -1])]
        worst = int(np.argmin(filled))
        if filled[worst] >= LEAST_FILLED:
            break
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    down, across = box
    return (
        slice(down.start + top, down.start + bottom),
        slice(across.start + left, across.start + right),
    )


def _is_plate(box: Box, even: Mask, ink: Mask) -> bool:
    n_rows, n_columns = (side.stop - side.start for side in box)
    if n_rows < LOWEST or n_columns < WIDE * n_rows or n_rows * n_columns > LARGEST * ink.size:
        return False
    return bool(
        even[box].mean() >= LEAST_EVEN
        and (even | ink)[box].mean() >= LEAST_FILLED
        and ink[box].mean() >= LEAST_INK
        and _part_beside(box, even, ink) <= GOES_ON
    )


def _part_beside(box: Box, even: Mask, ink: Mask) -> float:
    """Return which part of what lies right beside a box, and is no ink, has its grey."""
    rows, columns = box
    beside = (
        (slice(max(0, rows.start - 1), rows.start), columns),
        (slice(rows.stop, rows.stop + 1), columns),
        (rows, slice(max(0, columns.start - 1), columns.start)),
        (rows, slice(columns.stop, columns.stop + 1)),
    )
    greys = np.concatenate([even[side][~ink[side]] for side in beside])
    return float(greys.mean()) if len(greys) else 0.0
