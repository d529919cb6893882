"""Operators of unwanted sound and electronics; all add as complex amplitude."""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.scene import Scene, amplitude, compress, displaced, noise, phase, psf_noise

HAZE_DEPTH, HAZE_SPREAD = 0.35, 0.25  #: Gaussian band in the near to middle field
SIDE_LOBE_PX = 25.0  #: decay of a side lobe across the beams
SIDE_LOBE_STEP_PX = 5
LOCAL_POWER_PX = 6.0


def _level(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def _bright(scene: Scene) -> np.float32:
    """Amplitude of this image's bright echoes: its 99th percentile."""
    echoes = amplitude(scene.image)[scene.scan_mask]
    return np.float32(np.percentile(echoes, 99))


def _haze_band(scene: Scene) -> UnitImage:
    band = np.exp(-(((scene.geometry.depth - HAZE_DEPTH) / HAZE_SPREAD) ** 2))
    return np.asarray(band, np.float32)


def haze(scene: Scene, level_db: float, rng: Generator) -> UnitImage:
    """Veil the near and middle field with multipath clutter (SCIENCE 7.3).

    `level_db` counts from this image's bright echoes, not from white, which many never reach.
    """
    shape = scene.scan_mask.shape
    clutter = _haze_band(scene) * noise(shape, rng, 2, 4)
    return compress(
        amplitude(scene.image) * phase(shape, rng) + _level(level_db) * _bright(scene) * clutter
    )


def haze_area(scene: Scene, _level_db: float, _rng: Generator) -> Mask:
    """Pixels where the band is above half its height."""
    return scene.scan_mask & (_haze_band(scene) > 0.5)


def speckle(scene: Scene, snr_db: float, rng: Generator) -> UnitImage:
    """Add noise of the point spread's grain, `snr_db` below the local echo (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    echo = amplitude(scene.image)
    local = np.sqrt(ndimage.gaussian_filter(echo**2, LOCAL_POWER_PX))
    return compress(echo * phase(shape, rng) + _level(-snr_db) * local * psf_noise(shape, rng))


def side_lobes(scene: Scene, level_db: float, rng: Generator) -> UnitImage:
    """Smear the brightest 1 % of echoes across the beams, `level_db` below them (SCIENCE 7.3).

    The strongest lobe counts, not the sum: a wide reflector would raise its own lobes without end.
    """
    shape = scene.scan_mask.shape
    echo = amplitude(scene.image)
    strong = np.where(scene.scan_mask & (echo > np.percentile(echo[scene.scan_mask], 99)), echo, 0)
    strong = ndimage.gaussian_filter(strong.astype(np.float32), SIDE_LOBE_STEP_PX / 2)
    lobes = np.zeros(shape, np.float32)
    for offset in range(-75, 76, SIDE_LOBE_STEP_PX):
        weight = np.float32(np.exp(-abs(offset) / SIDE_LOBE_PX))
        np.maximum(lobes, weight * displaced(strong, scene, 0, offset), out=lobes)
    return compress((echo + _level(level_db) * lobes) * phase(shape, rng))


def interference(scene: Scene, level_db: float, rng: Generator) -> UnitImage:
    """Lay the spokes of a foreign transmitter, such as diathermy, over the scan (SCIENCE 7.3)."""
    shape = scene.scan_mask.shape
    depth, lateral = scene.geometry.depth, scene.geometry.lateral
    spokes = np.sin(2 * np.pi * (45 * depth + 9 * lateral)) > 0.8
    foreign = (0.3 + np.clip(depth, 0, 1)) * noise(shape, rng, 0.5, 0.3) * spokes
    return compress(
        amplitude(scene.image) * phase(shape, rng) + _level(level_db) * _bright(scene) * foreign
    )
