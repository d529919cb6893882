"""BRISQUE as the PyPI package `brisque` has it (Apache-2.0), which learned from LIVE photographs.

The package's parts are used, not its `score`: that fails with numpy 2.4, and it counts the black
around a scan. Coefficients are fitted inside the mask only; fit, scaling and support vectors are
the package's. Needs the [brisque] extra, whose libsvm is compiled on installation.
"""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from scipy import ndimage

from sonoquality.arrays import Floats, Mask, UnitImage
from sonoquality.metrics.baselines.natural import halved

WINDOW_PX = 7
LEAST_POWER = 1e-12  #: of coefficients; below it there is nothing to fit


@cache
def _package() -> Any:
    return import_module("brisque").BRISQUE(url=False)


def brisque(image: UnitImage, mask: Mask) -> float:
    """Minus the BRISQUE score of a working image (h, w); higher is better, -100 is very bad."""
    features = [*_features(image, mask), *_features(*halved(image, mask))]
    return -float(_package().calculate_image_quality_score(features))


def _features(image: UnitImage, mask: Mask) -> list[float]:
    """Return the 18 numbers of one scale: shapes, means and powers of the fits inside the mask."""
    grey = image.astype(np.float64)
    coefficients = _package().calculate_mscn_coefficients(grey, WINDOW_PX, WINDOW_PX / 6)
    counts = ndimage.minimum_filter(mask, WINDOW_PX, mode="constant")
    pairs = _package().calculate_pair_product_coefficients(coefficients)
    both = _package().calculate_pair_product_coefficients(counts.astype(np.float64))
    found: list[float] = []
    for name in pairs:
        alpha, mean, left, right = _fit(pairs[name][both[name] > 0])
        power = [left**2, right**2]
        found += [alpha, sum(power) / 2] if name == "mscn" else [alpha, mean, *power]
    return found


def _fit(x: Floats) -> tuple[float, float, float, float]:
    """Fit by the package; a scan without any texture has none to fit, and counts as a flat one."""
    if len(x) == 0 or float(np.mean(x**2)) < LEAST_POWER or not (x < 0).any():
        return 10.0, 0.0, 0.0, 0.0
    alpha, mean, left, right = _package().asymmetric_generalized_gaussian_fit(x)
    return tuple(float(np.ravel(each)[0]) for each in (alpha, mean, left, right))  # type: ignore[return-value]
