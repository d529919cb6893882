"""Lines of text written over echoes: upright strokes of one grey and one height, side by side.

Echoes are rounded, and their grey changes from pixel to pixel. A letter's stem is narrow, keeps
its grey over its height, and stands in a row with others of that grey. Where enough of them stand
together the whole box of the row is taken, as no letter of a name may stay legible.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.morphology import closed, dilate, erode

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: A stem keeps its grey, give or take, over so many pixels.
HEIGHT, EVEN = 4, 14
#: It is lighter than what lies within this distance on both of its sides by so many levels.
WIDEST, CONTRAST = 4, 28
#: Darker text is not looked for: in it speckle and letters are too alike.
DARKEST = 135
#: Words stand in rows of cells of this side, with gaps up to twice so many.
CELL, GAP = 4, 3
#: Text has at least so many stems in a row, of grey levels no further from one another than this.
LEAST_STEMS, ALIKE = 4, 10
#: What differs from the letters' grey by at most so many levels is their ink.
INK = 40
#: At least so many, and this part of all, stand on one base line.
LEAST_FEET, ON_LINE = 3, 0.25
#: So many greys are looked at, each of which has at least so many stems.
MOST_GREYS = 3
#: The highest line of text, in parts of the screen's longer side.
TALLEST = 16
#: Letters without stems at the ends of a line take so much room, in the same parts.
MARGIN = 24


@dataclass(frozen=True, slots=True)
class Words:
    """What was found; both are (height, width)."""

    boxes: Mask  #: around lines of text: no letter stands outside
    ink: Mask  #: in them, what has the letters' grey
    lines: list[Box]  #: the boxes one by one


def find_words(luma: Luma, screen_side: int) -> Words:
    """Find lines of text.

    Args:
        luma: (height, width).
        screen_side: longer side of the whole frame, by which letters are scaled.
    """
    nowhere = np.zeros(luma.shape, dtype=np.bool_)
    found = Words(nowhere.copy(), nowhere.copy(), [])
    greys, stems = find_stems(luma)
    tallest = max(32, screen_side // TALLEST)
    for grey in _common(greys):
        near = np.abs(greys - grey) <= ALIKE
        rows, columns = stems[0][near], stems[1][near]
        boxes = _rows(_cells(rows, columns, luma.shape), tallest)
        if not boxes:
            continue
        of_grey = _drawn(rows, columns, luma.shape)
        for box in boxes:
            if _is_text(of_grey[box]):
                line = _grown(*box, of_grey, screen_side // MARGIN)
                found.lines.append(line)
                found.boxes[line] = True
                found.ink[line] |= np.abs(luma[line].astype(np.int16) - grey) <= INK
    return found


def find_stems(luma: Luma) -> tuple[NDArray[np.int16], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return narrow upright strokes of one grey: their greys, and rows and columns of their tops.

    A stroke higher than a stem has a top in each of its rows but the last ones.
    """
    height, width = luma.shape
    if height < HEIGHT or width <= 2 * WIDEST:
        nowhere = np.zeros(0, dtype=np.intp)
        return nowhere.astype(np.int16), (nowhere, nowhere)
    lowest, highest = _over(np.minimum, luma), _over(np.maximum, luma)
    core = lowest[:, WIDEST:-WIDEST]
    even = (core > DARKEST) & (highest[:, WIDEST:-WIDEST] - core <= EVEN)
    rows, columns = np.nonzero(even)
    level = core[rows, columns].astype(np.int16)
    columns += WIDEST
    beside = [
        np.min([highest[rows, columns + way * by] for by in range(1, WIDEST + 1)], axis=0)
        for way in (-1, 1)
    ]
    narrow = np.maximum(*beside) < level - CONTRAST
    return level[narrow], (rows[narrow], columns[narrow])


def _over(extreme: Callable[[Luma, Luma], Luma], luma: Luma) -> Luma:
    """Return the extreme of each pixel and the HEIGHT - 1 below it."""
    pairs = extreme(luma[:-1], luma[1:])
    return extreme(pairs[:-2], pairs[2:])


def _common(greys: NDArray[np.int16]) -> list[int]:
    """Return the greys of most stems, the most common first."""
    counts = np.bincount(greys, minlength=256)
    common = []
    for _ in range(MOST_GREYS):
        near = np.convolve(counts, np.ones(2 * ALIKE + 1), "same")
        grey = int(near.argmax())
        if near[grey] < LEAST_STEMS:
            break
        common.append(grey)
        counts[max(0, grey - ALIKE) : grey + ALIKE + 1] = 0
    return common


def _drawn(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    stems = np.zeros(shape, dtype=np.bool_)
    for below in range(HEIGHT):
        stems[rows + below, columns] = True
    return stems


def _cells(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    """Return in which squares of CELL pixels there are stems."""
    cells = np.zeros((shape[0] // CELL + 1, shape[1] // CELL + 1), dtype=np.bool_)
    cells[rows // CELL, columns // CELL] = True
    cells[(rows + HEIGHT - 1) // CELL, columns // CELL] = True
    return cells


def _rows(cells: Mask, tallest: int) -> list[Box]:
    """Return the boxes of stems that stand side by side, without the sides of drawn boxes."""
    reach = tallest // CELL // 2
    sides = erode(np.pad(cells, ((reach, reach), (0, 0))), reach, 0)
    cells = cells & ~dilate(sides, reach, 0)[reach:-reach]
    labels, _ = ndimage.label(closed(cells, 0, GAP), np.ones((3, 3)))
    boxes = []
    for rows, columns in ndimage.find_objects(labels):
        n_rows, n_columns = rows.stop - rows.start, columns.stop - columns.start
        if CELL * n_rows <= tallest and n_columns >= 1.5 * n_rows:
            boxes.append(
                (
                    slice(CELL * rows.start, CELL * rows.stop),
                    slice(CELL * columns.start, CELL * columns.stop),
                )
            )
    return boxes


def _is_text(stems: Mask) -> bool:
    """Whether there are enough stems on one base line, give or take a pixel."""
    labels, n_stems = ndimage.label(stems)
    if n_stems < LEAST_STEMS:
        return False
    feet = np.bincount([rows.stop for rows, _ in ndimage.find_objects(labels)])
    on_line = int(np.convolve(feet, np.ones(3, dtype=np.intp)).max())
    return on_line >= max(LEAST_FEET, ON_LINE * n_stems)


def _grown(rows: slice, columns: slice, stems: Mask, margin: int) -> Box:
    """Return the box with the words beside it, and with room for what has no stem."""
    height = rows.stop - rows.start
    gap = max(24, 2 * height)
    band = np.atleast_2d(stems[rows].any(axis=0))
    line = closed(np.pad(band, ((0, 0), (gap, gap))), 0, gap // 2)[0, gap:-gap]
    before, after = np.flatnonzero(~line[: columns.start]), np.flatnonzero(~line[columns.stop :])
    first = before[-1] + 1 if len(before) else 0
    last = columns.stop + after[0] if len(after) else len(line)
    return (
        slice(max(0, rows.start - height // 3), rows.stop + height // 3),
        slice(max(0, first - max(margin, height)), last + max(margin, height)),
    )
