"""Classic sharpness measures: what a quality model has to beat.

Both are taken over the scan without its rim, at the model's own working scale, and count higher as
better, as they are commonly used. Noise raises them too, which is their known weakness.
"""

import numpy as np
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.metrics.steepness import gradient_magnitude

SIGMA_PX = 2.0
RIM_PX = 5


def mean_gradient(image: UnitImage, mask: Mask) -> float:
    """Mean gradient magnitude of (h, w) after a Gaussian of 2 px."""
    steep = gradient_magnitude(image, SIGMA_PX)
    return float(steep[_inner(mask)].mean())


def tenengrad(image: UnitImage, mask: Mask) -> float:
    """Mean squared Sobel gradient of (h, w), without smoothing (Krotkov 1988)."""
    steep = ndimage.sobel(image, axis=0) ** 2 + ndimage.sobel(image, axis=1) ** 2
    return float(steep[_inner(mask)].mean())


def _inner(mask: Mask) -> Mask:
    """The mask without its rim, whose edge is no sharpness of the tissue."""
    inner = ndimage.minimum_filter(mask, 2 * RIM_PX + 1, mode="constant")
    return np.asarray(inner if inner.any() else mask, np.bool_)
