"""Operators of unwanted sound and electronics: haze, speckle noise, side lobes, interference. All add as complex amplitude."""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.degrade.geometry import F32, Mask
from sonoquality.degrade.scene import Scene, amplitude, compress, displaced, noise, phase, psf_noise

HAZE_DEPTH, HAZE_SPREAD = 0.35, 0.25  #: Gaussian band in the near to middle field
SIDE_LOBE_PX = 25.0  #: decay of a side lobe across the beams
SIDE_LOBE_STEP_PX = 5
LOCAL_POWER_PX = 6.0


def _level(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def _haze_band(scene: Scene) -> F32:
    band = np.exp(-(((scene.geometry.depth - HAZE_DEPTH) / HAZE_SPREAD) ** 2))
    return band.astype(np.float32)


def haze(scene: Scene, level_db: float, rng: Generator) -> F32:
    """Fill a band of the near and middle field with multipath clutter of `level_db` re peak (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    clutter = _haze_band(scene) * noise(shape, rng, 2, 4)
    return compress(amplitude(scene.image) * phase(shape, rng) + _level(level_db) * clutter)


def haze_area(scene: Scene, _level_db: float, _rng: Generator) -> Mask:
    """Pixels where the band is above half its height."""
    return scene.scan_mask & (_haze_band(scene) > 0.5)


def speckle(scene: Scene, snr_db: float, rng: Generator) -> F32:
    """Add noise of the point spread's grain at a local signal-to-noise ratio of `snr_db` (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    echo = amplitude(scene.image)
    local = np.sqrt(ndimage.gaussian_filter(echo**2, LOCAL_POWER_PX))
    return compress(echo * phase(shape, rng) + _level(-snr_db) * local * psf_noise(shape, rng))


def side_lobes(scene: Scene, level_db: float, rng: Generator) -> F32:
    """Smear the brightest 1 % of echoes across the beams, `level_db` below them (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    echo = amplitude(scene.image)
    strong = np.where(scene.scan_mask & (echo > np.percentile(echo[scene.scan_mask], 99)), echo, 0)
    strong = ndimage.gaussian_filter(strong.astype(np.float32), SIDE_LOBE_STEP_PX / 2)
    lobes = np.zeros(shape, np.float32)
    for offset in range(-75, 76, SIDE_LOBE_STEP_PX):
        weight = np.float32(np.exp(-abs(offset) / SIDE_LOBE_PX) * SIDE_LOBE_STEP_PX)
        lobes += weight * displaced(strong, scene.geometry, 0, offset)
    return compress((echo + _level(level_db) * lobes) * phase(shape, rng))


def interference(scene: Scene, level_db: float, rng: Generator) -> F32:
    """Lay the spokes of a foreign transmitter (diathermy, another probe) over the scan (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    depth, lateral = scene.geometry.depth, scene.geometry.lateral
    spokes = np.sin(2 * np.pi * (45 * depth + 9 * lateral)) > 0.8
    foreign = (0.3 + np.clip(depth, 0, 1)) * noise(shape, rng, 0.5, 0.3) * spokes
    return compress(amplitude(scene.image) * phase(shape, rng) + _level(level_db) * foreign)
