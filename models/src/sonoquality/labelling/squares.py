"""What a small diagnostician sees of a scan: its pixels, and nothing of what surrounds it.

The shape of a scan says which machine and often which organ it is; a network that reads it would
not notice what happens to the tissue. So who names something sees the largest square of tissue. Who
outlines must see the whole scan, and there all that surrounds it is black.
"""

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Mask, UnitImage, Windows
from sonoquality.metrics.area import resize_area
from sonoquality.training.segmentation.pictures import square

REDUCED = 8  #: the largest square is looked for on a copy so many times smaller
Greys = NDArray[np.uint8]
Corner = tuple[int, int, int]  #: top, left, side


def largest_square(mask: Mask) -> Corner:
    """Return the largest square of pixels in a mask (height, width), to `REDUCED` px."""
    rows, columns = mask.shape[0] // REDUCED, mask.shape[1] // REDUCED
    cut = mask[: rows * REDUCED, : columns * REDUCED]
    cells = cut.reshape(rows, REDUCED, columns, REDUCED)
    inside = np.pad(cells.all(axis=(1, 3)), 1)
    sides = np.zeros((rows + 2, columns + 2), np.intp)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            if inside[row, column]:
                near = sides[row - 1, column], sides[row, column - 1], sides[row - 1, column - 1]
                sides[row, column] = 1 + min(near)
    bottom, right = divmod(int(sides.argmax()), columns + 2)
    n = int(sides[bottom, right])
    if n == 0:
        return 0, 0, min(mask.shape)
    return (bottom - n) * REDUCED, (right - n) * REDUCED, n * REDUCED


def tissue(pictures: Greys, mask: Mask, side: int) -> Windows:
    """Cut the largest square of tissue out of pictures (n, height, width): (n, 1, side, side)."""
    top, left, length = largest_square(mask)
    cut = pictures[:, top : top + length, left : left + length]
    return np.stack([_unit(each, side) for each in cut])[:, None]


def whole(pictures: Greys, mask: Mask, side: int) -> Windows:
    """Fit pictures (n, height, width) into (n, 1, side, side); what is not scan is black."""
    return np.stack([_unit(np.where(mask, each, 0), side) for each in pictures])[:, None]


def whole_mask(target: Mask, side: int) -> Mask:
    """Fit a mask (height, width) into (side, side), as `whole` fits its picture."""
    return np.asarray(square(target.astype(np.float32), side) >= 0.5, np.bool_)


def _unit(picture: Greys, side: int) -> UnitImage:
    unit = picture.astype(np.float32) / np.float32(255)
    if unit.shape[0] == unit.shape[1]:
        return resize_area(np.ascontiguousarray(unit), (side, side))
    return square(unit, side)
