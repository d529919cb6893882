"""The slanted sides of a steered colour box: a parallelogram between two level lines of one length.

Fascia and needles are slanted too, but no two of them join the ends of a pair of level lines.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.morphology import label

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Line = tuple[int, int, int, int]  # row, first and last column, grey

#: A side leans by so many columns a row, from 4 to 35 degrees, as the other does but for so many.
LEAST_STEEP, STEEPEST, PARALLEL = 0.07, 0.7, 4
#: A level line is so thick at most.
THICK = 4
#: The ends of a level line are known to this part of the least length; so fine is looked there.
END, STEP = 0.5, 2
#: Lines that are looked at, the longest first.
MOST_LINES = 12
#: A side is lighter than what lies this far beside it by so many levels, over this part of it.
BESIDE, CONTRAST, SEEN = 5, 20, 0.8
#: It has one grey, give or take so many levels.
ONE_GREY = 20
#: So many of its rows are looked at first, and it is no side if less than this of them is drawn.
SAMPLED, PROMISING = 32, 0.5


def find_parallelograms(luma: Luma, level: Mask, length: int) -> Mask:
    """Return the outlines of slanted boxes.

    Args:
        luma: (height, width).
        level: (height, width) straight level lines.
        length: shortest side of a box in pixels.
    """
    found = np.zeros(luma.shape, dtype=np.bool_)
    for top, bottom in _pairs(_lines(luma, level, length), length):
        rows = np.arange(top[0], bottom[0] + 1)
        left = _side(luma, rows, (top[1], bottom[1]), round(END * length))
        if left is None:
            continue
        right = _side(luma, rows, (top[2], bottom[2]), round(END * length))
        if right is None or not _is_parallel(left, right):
            continue
        for columns in (left, right):
            for aside in (-1, 0, 1):
                found[rows, np.clip(columns + aside, 0, luma.shape[1] - 1)] = True
        for row, end in ((top[0], 0), (bottom[0], -1)):
            found[row - 1 : row + 2, left[end] : right[end] + 1] = True
    return found


def _is_parallel(left: NDArray[np.intp], right: NDArray[np.intp]) -> bool:
    leans = (int(left[-1] - left[0]), int(right[-1] - right[0]))
    is_slanted = abs(leans[0]) >= LEAST_STEEP * len(left)
    return is_slanted and abs(leans[0] - leans[1]) <= PARALLEL


def _lines(luma: Luma, level: Mask, length: int) -> list[Line]:
    """Return level lines of one grey, the longest first."""
    lines = []
    for rows, columns in _parts(level):
        n_columns = columns.stop - columns.start
        if rows.stop - rows.start > THICK or n_columns < length:
            continue
        core = luma[rows, columns.start + n_columns // 4 : columns.stop - n_columns // 4]
        lightest = core.max(axis=0).astype(np.int16)
        grey = int(np.median(lightest))
        if (np.abs(lightest - grey) <= ONE_GREY).mean() >= SEEN:
            row = (rows.start + rows.stop - 1) // 2
            lines.append((row, columns.start, columns.stop - 1, grey))
    return sorted(lines, key=lambda line: line[1] - line[2])[:MOST_LINES]


def _parts(level: Mask) -> Iterator[tuple[slice, slice]]:
    """Yield the boxes around connected parts; only rows with any are looked at, most have none."""
    rows = np.flatnonzero(level.any(axis=1))
    apart = np.concatenate([[0], np.cumsum(np.diff(rows) > 1)]) + np.arange(len(rows))
    close = np.zeros((apart[-1] + 1, level.shape[1]), dtype=np.bool_)
    close[apart] = level[rows]
    for down, across in ndimage.find_objects(label(close)[0]):
        first = int(rows[np.searchsorted(apart, down.start)])
        yield slice(first, first + down.stop - down.start), across


def _pairs(lines: Iterable[Line], length: int) -> Iterator[tuple[Line, Line]]:
    """Pair lines of one length and grey, the upper first, that lie aside of one another."""
    for top, bottom in combinations(sorted(lines), 2):
        height, aside = bottom[0] - top[0], abs(bottom[1] - top[1])
        lengths = (top[2] - top[1], bottom[2] - bottom[1])
        alike = abs(lengths[0] - lengths[1]) <= length
        alike &= abs(top[3] - bottom[3]) <= ONE_GREY
        if height >= length // 2 and aside <= STEEPEST * height and alike:
            yield top, bottom


def _side(
    luma: Luma, rows: NDArray[np.intp], ends: tuple[int, int], reach: int
) -> NDArray[np.intp] | None:
    """Return the columns of a line drawn between two columns, give or take; None without."""
    few = rows[:: max(1, len(rows) // SAMPLED)]
    starts, stops = _around(ends, np.arange(-reach, reach + 1, STEP))
    shares = _drawn(luma, few, starts, stops)
    best = int(shares.argmax())
    if shares[best] < PROMISING:
        return None
    starts, stops = _around((int(starts[best]), int(stops[best])), np.arange(-STEP, STEP + 1))
    lines = np.clip(_columns(rows, starts, stops), 0, luma.shape[1] - 1)
    best = int(luma[rows, lines].mean(axis=1).argmax())
    if _drawn(luma, rows, starts[best : best + 1], stops[best : best + 1])[0] < SEEN:
        return None
    line: NDArray[np.intp] = lines[best]
    return line


def _around(
    ends: tuple[int, int], moves: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Move both ends of a line, each by all moves."""
    return ends[0] + np.repeat(moves, len(moves)), ends[1] + np.tile(moves, len(moves))


def _columns(
    rows: NDArray[np.intp], starts: NDArray[np.intp], stops: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the columns of straight lines from the first row to the last: (line, row)."""
    part = (rows - rows[0]) / max(1, rows[-1] - rows[0])
    columns = np.rint(starts[:, None] * (1 - part) + stops[:, None] * part)
    return np.asarray(columns, dtype=np.intp)


def _drawn(
    luma: Luma, rows: NDArray[np.intp], starts: NDArray[np.intp], stops: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return which share of each line is of one grey and lighter than what is beside it."""
    columns = np.clip(_columns(rows, starts, stops), BESIDE, luma.shape[1] - 1 - BESIDE)
    first, last = columns.min() - BESIDE, columns.max() + BESIDE + 1
    part = luma[rows, first:last]
    inner = part[:, BESIDE - 1 : 1 - BESIDE]
    at = np.maximum(np.maximum(inner[:, 1:-1], inner[:, :-2]), inner[:, 2:])
    beside = np.maximum(part[:, : -2 * BESIDE], part[:, 2 * BESIDE :])
    lighter = at > np.minimum(beside, 255 - CONTRAST) + np.uint8(CONTRAST)
    place = (np.arange(len(rows)), columns - columns.min())
    greys = at[place].astype(np.int16)
    grey = np.median(greys, axis=1, keepdims=True)
    drawn = lighter[place] & (np.abs(greys - grey) <= ONE_GREY)
    return np.asarray(drawn.mean(axis=1))
