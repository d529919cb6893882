"""An upright box of one grey around something: where its four sides are."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Signed = NDArray[np.int16]

#: A side is lighter by so many levels than what lies this far beside it, over its rim.
BESIDE, RIM, CONTRAST = 5, 1, 6
#: It has one grey, give or take so many levels; the sides have it in common.
ONE_GREY = 16
#: This part of each side is seen, and this part of all four.
SEEN, SEEN_OF_ALL = 0.4, 0.6
#: It ends at its corners: so many pixels beyond them, less than this part is seen.
BEYOND, STILL_SEEN = 12, 0.6
#: Lines that are tried for each side, by how well they are seen beside the thing.
TRIED = 5


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows and columns of a box's outline."""

    top: int
    bottom: int
    left: int
    right: int


def find_surrounding(luma: Luma, thing: Mask) -> Sides | None:
    """Return the box around a thing; None without one.

    Args:
        luma: (height, width).
        thing: (height, width), True inside the box.
    """
    rows, columns = np.nonzero(thing)
    if not len(rows):
        return None
    first, last = np.percentile(rows, [1, 99]).astype(int)
    left, right = np.percentile(columns, [1, 99]).astype(int)
    level, upright = _Lines(luma), _Lines(np.ascontiguousarray(luma.T))
    tops, bottoms = level.beside(slice(left, right + 1), first, last)
    lefts, rights = upright.beside(slice(first, last + 1), left, right)
    best: tuple[float, Sides | None] = (SEEN_OF_ALL, None)
    for top, bottom, start, stop in product(tops, bottoms, lefts, rights):
        if bottom - top < 4 * BESIDE or stop - start < 4 * BESIDE:
            continue
        sides = Sides(top, bottom, start, stop)
        seen = _seen(level, upright, sides)
        if seen > best[0]:
            best = seen, sides
    return best[1]


def _seen(level: "_Lines", upright: "_Lines", sides: Sides) -> float:
    """Return which part of an outline is drawn in one grey; 0 if a side is not, or goes on."""
    across, down = (sides.left, sides.right), (sides.top, sides.bottom)
    lines = (
        (level, sides.top, across),
        (level, sides.bottom, across),
        (upright, sides.left, down),
        (upright, sides.right, down),
    )
    greys = [each.greys(at, ends) for each, at, ends in lines]
    drawn = np.concatenate(greys)
    grey = int(np.median(drawn[drawn > 0])) if (drawn > 0).any() else 0
    if any((np.abs(line - grey) <= ONE_GREY).mean() < SEEN for line in greys):
        return 0.0
    if any(each.goes_on(at, ends, grey) > STILL_SEEN for each, at, ends in lines):
        return 0.0
    return float((np.abs(drawn - grey) <= ONE_GREY).mean())


class _Lines:
    """How well level lines are seen: their grey where they stand out, 0 elsewhere."""

    def __init__(self, luma: Luma) -> None:
        deep = np.pad(luma, ((BESIDE, BESIDE), (0, 0)), mode="edge").astype(np.int16)
        height = luma.shape[0]
        near = [deep[BESIDE + by : BESIDE + by + height] for by in range(-RIM, RIM + 1)]
        at = np.max(near, axis=0)
        ground = np.maximum(deep[:height], deep[2 * BESIDE :])
        self._grey: Signed = np.where(at >= ground + CONTRAST, at, np.int16(0))

    def beside(self, span: slice, first: int, last: int) -> tuple[list[int], list[int]]:
        """Return the rows best seen over a span of columns, before the first and after the last."""
        part = self._grey[:, span]
        n_hidden = (part == 0).sum(axis=1)
        middle = np.minimum((n_hidden + part.shape[1]) // 2, part.shape[1] - 1)
        grey = np.sort(part, axis=1)[np.arange(len(part)), middle]
        score = ((np.abs(part - grey[:, None]) <= ONE_GREY) & (part > 0)).mean(axis=1)
        before, after = score[: max(0, first)], score[last + 1 :]
        return _peaks(before, 0), _peaks(after, last + 1)

    def greys(self, row: int, ends: tuple[int, int]) -> Signed:
        """Return the greys of a line from end to end, 0 where it is not seen."""
        return self._grey[row, ends[0] : ends[1] + 1]

    def goes_on(self, row: int, ends: tuple[int, int], grey: int) -> float:
        """Return which part is seen beyond the ends, on the worse side."""
        before = self._grey[row, max(0, ends[0] - BEYOND) : max(0, ends[0] - 3)]
        after = self._grey[row, ends[1] + 4 : ends[1] + 1 + BEYOND]
        return max(
            (float((np.abs(part - grey) <= ONE_GREY).mean()) if len(part) else 0.0)
            for part in (before, after)
        )


def _peaks(score: NDArray[np.float64], offset: int) -> list[int]:
    """Return the places of the highest values, none beside another."""
    found = []
    left = score.copy()
    for _ in range(TRIED):
        if not len(left) or left.max() < SEEN:
            break
        at = int(left.argmax())
        found.append(at + offset)
        left[max(0, at - 2) : at + 3] = 0
    return found
