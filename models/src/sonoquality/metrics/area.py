"""Area interpolation as OpenCV's INTER_AREA does it, as one small matrix per axis.

The released uLPIPS resizes with it (SCIENCE.md §3.2), so `paper` mode must; `robust` mode uses the
same matrices inside torch, where they are differentiable. OpenCV averages covered area only when
neither axis grows; otherwise both axes are interpolated between neighbours, with OpenCV's own
offsets (`cv::resize`, modules/imgproc/src/resize.cpp, 4.x and 5.x).
"""

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats, ShapeError, UnitImage


def resize_area(image: UnitImage, size: tuple[int, int]) -> UnitImage:
    """Resize (height, width) to `size` = (height, width).

    Raises:
        ShapeError: the image or the size is empty or not two-dimensional.
    """
    if image.ndim != 2 or image.size == 0 or min(size) < 1:
        raise ShapeError(f"Expected a (height, width) image and size, got {image.shape} to {size}.")
    down, across = area_matrices((image.shape[0], image.shape[1]), size)
    resized: NDArray[np.float64] = down @ image.astype(np.float64) @ across.T
    return resized.astype(np.float32)


def area_matrices(size: tuple[int, int], to: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return the matrices of both axes, (to_height, height) and (to_width, width); rows sum to 1.

    The resized image is `down @ image @ across.T`.
    """
    shrinks = all(old >= new for old, new in zip(size, to, strict=True))
    rows = _covered if shrinks else _between
    return rows(size[0], to[0]), rows(size[1], to[1])


def _covered(old: int, new: int) -> Floats:
    """Weigh each old pixel by the share of the new pixel that it covers."""
    scale = old / new
    starts = np.arange(new)[:, None] * scale
    pixels = np.arange(old)[None, :]
    overlap = np.minimum(starts + scale, pixels + 1.0) - np.maximum(starts, pixels)
    overlap = np.clip(overlap, 0.0, 1.0)
    covered: Floats = overlap / overlap.sum(axis=1, keepdims=True)
    return covered


def _between(old: int, new: int) -> Floats:
    """Weigh the two old pixels next to each new one, as `cv::resize` does where an axis grows."""
    places = np.arange(new)
    # OpenCV's own arithmetic: where a place falls on a whole pixel, its rounding picks the side.
    shrink = new / old
    left = np.floor(places * (1.0 / shrink)).astype(np.intp)
    share = ((places + 1) - (left + 1) * shrink).astype(np.float32).astype(np.float64)
    share = np.where((share <= 0.0) | (left >= old - 1), 0.0, share - np.floor(share))
    left = np.minimum(left, old - 1)
    right = np.minimum(left + 1, old - 1)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (places, left), 1.0 - share)
    np.add.at(matrix, (places, right), share)
    return matrix
