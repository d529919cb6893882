"""The colour box of a curved or phased probe: two arcs and two rays around the colour.

Seen from where all beams meet, depth over angle, it is an upright box, and found as such.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.read.drawn.morphology import dilate, label
from sonogate.read.drawn.surround import find_surrounding
from sonoquality.geometry import geometry_of

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Part of a scan that is coloured at least, and how far around the colour a box is looked for, in
#: parts of the screen's longer side.
LEAST_COLOURED, AROUND = 0.002, 4


def find_curved_boxes(luma: Luma, scan: Mask, flow: Mask, screen_side: int) -> Mask:
    """Return the outlines, of any grey, of boxes around the colour in a fan.

    Args:
        luma: (height, width).
        scan: (height, width); two scans side by side are looked at one by one.
        flow: (height, width) filled colour.
        screen_side: longer side of the whole frame, by which boxes are scaled.
    """
    found = np.zeros(luma.shape, dtype=np.bool_)
    if not (flow & scan).any():
        return found
    labels, n_scans = label(scan)
    for number in range(1, n_scans + 1):
        part = labels == number
        inside = flow & part
        if inside.sum() < LEAST_COLOURED * part.sum():
            continue
        apex = geometry_of(part).apex
        if apex is not None:
            found |= _in_fan(luma, inside, apex, screen_side)
    return found


def _in_fan(luma: Luma, flow: Mask, apex: tuple[float, float], screen_side: int) -> Mask:
    grid = _Grid.around(flow, apex, screen_side // AROUND)
    sides = find_surrounding(grid.samples(luma), grid.samples(flow) > 0)
    outline = np.zeros(grid.shape, dtype=np.bool_)
    if sides is not None:
        across, down = slice(sides.left, sides.right + 1), slice(sides.top, sides.bottom + 1)
        outline[[sides.top, sides.bottom], across] = True
        outline[down, [sides.left]] = outline[down, [sides.right]] = True
    return grid.back(dilate(outline, 1), luma.shape)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Samples at even depths (rows) and angles (columns) around an apex."""

    apex: tuple[float, float]
    depths: NDArray[np.float64]
    angles: NDArray[np.float64]

    @classmethod
    def around(cls, flow: Mask, apex: tuple[float, float], margin: int) -> "_Grid":
        """Cover the colour and so many pixels around it, about as densely as the picture does."""
        depth, angle = _polar(np.argwhere(flow), apex)
        middle = float(np.median(depth))
        nearest = max(1.0, float(depth.min()) - margin)
        aside = margin / middle
        return cls(
            apex,
            np.arange(nearest, depth.max() + margin),
            np.arange(angle.min() - aside, angle.max() + aside, 1 / middle),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many depths and angles there are."""
        return len(self.depths), len(self.angles)

    def samples(self, picture: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return the nearest pixels, (depth, angle); 0 beyond the picture."""
        rows = np.rint(self.apex[0] + self.depths[:, None] * np.cos(self.angles)).astype(np.intp)
        columns = np.rint(self.apex[1] + self.depths[:, None] * np.sin(self.angles))
        columns = columns.astype(np.intp)
        is_inside = (rows >= 0) & (rows < picture.shape[0])
        is_inside &= (columns >= 0) & (columns < picture.shape[1])
        seen = picture[np.where(is_inside, rows, 0), np.where(is_inside, columns, 0)]
        return np.where(is_inside, seen, 0).astype(np.uint8)

    def back(self, found: Mask, shape: tuple[int, ...]) -> Mask:
        """Return which pixels of the picture are nearest to what was found."""
        whole = np.zeros(shape, dtype=np.bool_)
        if not found.any():
            return whole
        depth, angle = _polar(np.argwhere(~whole), self.apex)
        row = np.rint(depth - self.depths[0]).astype(np.intp)
        step = self.angles[1] - self.angles[0]
        column = np.rint((angle - self.angles[0]) / step).astype(np.intp)
        is_inside = (row >= 0) & (row < found.shape[0]) & (column >= 0) & (column < found.shape[1])
        whole.flat[is_inside] = found[row[is_inside], column[is_inside]]
        return whole


def _polar(
    places: NDArray[np.intp], apex: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances from the apex and angles from straight down, of (place, 2) pixels."""
    down, across = places[:, 0] - apex[0], places[:, 1] - apex[1]
    return np.hypot(down, across), np.arctan2(across, down)
