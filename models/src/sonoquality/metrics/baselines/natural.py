"""Natural scene statistics: what BRISQUE and NIQE look at (Mittal 2012, 2013).

Grey is divided by its local spread (MSCN coefficients); the histogram of these, and those of
products of neighbours, are fitted by generalised Gaussians with a left and a right side. Only
pixels in a mask count.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, special

from sonoquality.arrays import Floats, Mask, UnitImage

Number = TypeVar("Number", np.float64, np.bool_)

SIGMA_PX = 7 / 6
RADIUS_PX = 3  #: the 7x7 window of both papers
REACH_PX = 4  #: a bicubic to half the size sees so far
STABILISER = 1 / 255  #: C = 1 of 255 greys
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  #: right, below, and the two diagonals
N_FEATURES = 2 + 4 * len(NEIGHBOURS)
LEAST_POWER = 1e-8  #: of coefficients; below it all are one grey, and nothing can be fitted

SHAPES: Floats = np.arange(0.2, 10.001, 0.001)
#: E|x|^2 / E x^2 of a generalised Gaussian of each shape; rises with the shape.
RATIOS: Floats = special.gamma(2 / SHAPES) ** 2 / (
    special.gamma(1 / SHAPES) * special.gamma(3 / SHAPES)
)


@dataclass(frozen=True, slots=True)
class Normalised:
    """An image without its local mean and spread."""

    coefficients: Floats  #: (h, w) MSCN
    spread: Floats  #: (h, w) local standard deviation, of grey in [0, 1]
    mask: Mask  #: (h, w) pixels whose whole window lies in the image's mask


class Fit(NamedTuple):
    """Asymmetric generalised Gaussians, one per patch (patch,)."""

    shape: Floats
    mean: Floats
    left: Floats  #: scale of the left side (beta)
    right: Floats


def normalise(image: UnitImage, mask: Mask) -> Normalised:
    """Subtract the local mean and divide by the local spread (h, w)."""
    grey = image.astype(np.float64)
    mean = _smooth(grey)
    spread = np.sqrt(np.abs(_smooth(grey**2) - mean**2))
    inner = ndimage.minimum_filter(mask, 2 * RADIUS_PX + 1, mode="constant")
    return Normalised((grey - mean) / (spread + STABILISER), spread, np.asarray(inner, np.bool_))


def _smooth(field: Floats) -> Floats:
    smooth = ndimage.gaussian_filter(field, SIGMA_PX, radius=RADIUS_PX, mode="nearest")
    return np.asarray(smooth, np.float64)


def halved(image: UnitImage, mask: Mask) -> tuple[UnitImage, Mask]:
    """Reduce (h, w) to half by an antialiased bicubic; a pixel counts if all it sees does.

    An odd last row or column is left out.
    """
    height, width = (side // 2 for side in image.shape)
    even = slice(0, 2 * height), slice(0, 2 * width)
    picture = Image.fromarray(np.ascontiguousarray(image[even]))
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    seen = ndimage.minimum_filter(mask[even], 2 * REACH_PX + 1, mode="nearest")
    counts = seen.reshape(height, 2, width, 2).all(axis=(1, 3))
    return np.asarray(small, np.float32), np.asarray(counts, np.bool_)


def patches(field: NDArray[Number], side: int, stride: int) -> NDArray[Number]:
    """Cut (h, w) into squares (patch, side * side), row by row."""
    views = np.lib.stride_tricks.sliding_window_view(field, (side, side))[::stride, ::stride]
    return views.reshape(-1, side * side)


def patch_features(found: Normalised, side: int, stride: int) -> Floats:
    """Describe square patches (patch, 18) by the pixels that count.

    Shape and mean scale of the coefficients, then for the product with each neighbour its shape,
    mean, left and right scale.
    """
    x, counts = found.coefficients, found.mask
    own = fit(patches(x, side, stride), patches(counts, side, stride))
    columns = [own.shape, (own.left + own.right) / 2]
    for step in NEIGHBOURS:
        product = x * np.roll(x, step, axis=(0, 1))
        both = counts & np.roll(counts, step, axis=(0, 1))
        columns += fit(patches(product, side, stride), patches(both, side, stride))
    return np.stack(columns, axis=-1)


def fit(x: Floats, counts: Mask) -> Fit:
    """Fit each row of x (patch, n) by moments, over the values that count (Lasmar 2009).

    A row without spread gets the largest shape and scales of 0.
    """
    n_left, left = _power(x, counts & (x < 0))
    n_right, right = _power(x, counts & (x >= 0))
    n = np.maximum(n_left + n_right, 1)
    power = (left**2 * n_left + right**2 * n_right) / n
    flat = power < LEAST_POWER
    mean_size = np.where(counts, np.abs(x), 0).sum(axis=1) / n
    ratio = mean_size**2 / np.where(flat, 1, power)
    g = left / np.where(right > 0, right, 1)
    ratio *= (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shape = SHAPES[np.clip(np.searchsorted(RATIOS, ratio), 0, len(SHAPES) - 1)]
    shape = np.where(flat, SHAPES[-1], shape)
    scale = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    beta_left, beta_right = left * scale, right * scale
    mean = (beta_right - beta_left) * special.gamma(2 / shape) / special.gamma(1 / shape)
    return Fit(shape, mean, beta_left, beta_right)


def _power(x: Floats, counts: Mask) -> tuple[Floats, Floats]:
    """Number and root mean square of the values that count, of each row."""
    n = counts.sum(axis=1).astype(np.float64)
    total = np.where(counts, x**2, 0).sum(axis=1)
    return n, np.sqrt(total / np.maximum(n, 1))
