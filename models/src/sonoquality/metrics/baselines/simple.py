"""Measures that are one line of arithmetic over the scan; higher counts as better.

All take a working image (h, w) in [0, 1] and its mask. That noise raises most of them is their
known weakness.
"""

import hashlib

import numpy as np
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.metrics.sharpness import RIM_PX
from sonoquality.metrics.steepness import gradient_magnitude

N_GREYS = 256
RIM_SIGMAS = 4.0  #: so far a Gaussian derivative reaches


def tenengrad_at(image: UnitImage, mask: Mask, sigma_px: float) -> float:
    """Mean squared gradient after a Gaussian of `sigma_px`, away from the rim (Krotkov 1988)."""
    squared = gradient_magnitude(image, sigma_px) ** 2
    inner = without_rim(mask, max(RIM_PX, int(RIM_SIGMAS * sigma_px + 0.5)))
    return float(squared[inner].mean())


def entropy(image: UnitImage, mask: Mask) -> float:
    """Shannon entropy of the scan's 256 greys, in bits."""
    greys = np.rint(np.clip(image[mask], 0, 1) * (N_GREYS - 1)).astype(np.intp)
    shares = np.bincount(greys, minlength=N_GREYS) / greys.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def spread(image: UnitImage, mask: Mask) -> float:
    """Width of the histogram: 95th minus 5th percentile of grey."""
    low, high = np.percentile(image[mask], (5, 95))
    return float(high - low)


def quietness(image: UnitImage, mask: Mask) -> float:
    """Minus the noise: robust deviation of what a 3x3 median takes away (SCIENCE 8.8)."""
    rest = image - ndimage.median_filter(image, size=3)
    rest = rest[without_rim(mask, 1)]
    return -1.4826 * float(np.median(np.abs(rest - np.median(rest))))


def chance(image: UnitImage, mask: Mask) -> float:
    """A number in [0, 1) that says nothing of quality, but is the same for the same pixels."""
    digest = hashlib.sha256(image[mask].tobytes()).digest()
    return int.from_bytes(digest[:6], "big") / 2.0**48


def without_rim(mask: Mask, rim_px: int) -> Mask:
    """The mask without its rim, whose edge is none of the tissue; the whole where nothing is left.

    The picture's border counts as a rim.
    """
    inner = ndimage.minimum_filter(mask, 2 * rim_px + 1, mode="constant")
    return np.asarray(inner if inner.any() else mask, np.bool_)
