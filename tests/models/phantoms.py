"""Small scans for tests of faults: a linear one and a fan, with layers, a spot and speckle."""

import numpy as np
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage

HEIGHT, WIDTH = 260, 320


def linear_mask() -> Mask:
    """A rectangle with a black border."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[10:-10, 12:-12] = True
    return mask


def fan_mask() -> Mask:
    """A curved probe's fan of 35 degrees to either side, apex above the picture."""
    row, col = np.mgrid[0:HEIGHT, 0:WIDTH]
    down, across = row + 60, col - WIDTH / 2
    radius, angle = np.hypot(down, across), np.arctan2(across, down)
    fan: Mask = (np.abs(angle) < np.deg2rad(30)) & (radius > 75) & (radius < 300)
    return fan


def tissue(mask: Mask, seed: int = 0) -> UnitImage:
    """Speckled layers at mid grey with one bright spot in the upper middle, black outside."""
    rng = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(rng.normal(size=mask.shape), (1.0, 1.7))
    row = np.arange(mask.shape[0])[:, None]
    grey = 0.36 + 0.08 * np.sin(row / 11) + 0.07 * grain / grain.std()
    grey[80:88, 140:175] += 0.35
    return np.where(mask, np.clip(grey, 0.02, 1), 0).astype(np.float32)


SCANS = {"linear": linear_mask(), "fan": fan_mask()}
