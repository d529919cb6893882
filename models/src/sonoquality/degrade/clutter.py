"""Operators of unwanted sound and electronics; all add as complex amplitude."""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.beams import beam_table
from sonoquality.degrade.scene import (
    Scene,
    amplitude,
    compress,
    noise,
    phase,
    psf_noise,
    smoothed_within,
    strongest,
)

HAZE_DEPTH, HAZE_SPREAD = 0.35, 0.25  #: Gaussian band in the near to middle field
HAZE_LOOKS = 6  #: frames and angles that a scanner averages
SIDE_LOBE_PX = 25.0  #: decay of a side lobe across the beams
SIDE_LOBE_REACH_PX = 90
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

    `level_db` counts from this image's bright echoes, not from white, which many never reach. The
    power of a few looks is averaged, as persistence and compounding do: one look has black cracks
    all over, which no veil has.
    """
    echo, veil = amplitude(scene.image), _level(level_db) * _bright(scene) * _haze_band(scene)
    power = np.zeros(scene.scan_mask.shape, np.float32)
    for _ in range(HAZE_LOOKS):
        power += np.abs(echo + veil * noise(scene, rng, 2, 4)) ** 2
    return compress(np.sqrt(power / np.float32(HAZE_LOOKS)))


def haze_area(scene: Scene, _level_db: float, _rng: Generator) -> Mask:
    """Pixels where the band is above half its height."""
    return scene.scan_mask & (_haze_band(scene) > 0.5)


def speckle(scene: Scene, snr_db: float, rng: Generator) -> UnitImage:
    """Add noise of the point spread's grain, `snr_db` below the local echo (SCIENCE 7.3)."""
    echo = amplitude(scene.image)
    local = np.sqrt(smoothed_within(echo**2, scene.scan_mask, LOCAL_POWER_PX))
    return compress(echo * phase(scene, rng) + _level(-snr_db) * local * psf_noise(scene, rng))


def side_lobes(scene: Scene, level_db: float, rng: Generator) -> UnitImage:
    """Smear the brightest 1 % of echoes across the beams, `level_db` below them (SCIENCE 7.3).

    Lobes of neighbours add in power, as echoes of unknown phase do. Added in amplitude, a wide
    reflector would raise its own lobes above itself.
    """
    table = beam_table(scene.scan_mask)
    power = table.to_beams(strongest(scene, 99, 1.0) ** 2)
    reach = np.arange(-SIDE_LOBE_REACH_PX, SIDE_LOBE_REACH_PX + 1, 1 / table.beams_per_px)
    lobe = np.exp(-2 * np.abs(reach) / SIDE_LOBE_PX) / table.beams_per_px
    lobes = ndimage.convolve1d(power, lobe.astype(np.float32), axis=1, mode="constant")
    smeared = np.sqrt(np.maximum(table.to_pixels(lobes), 0))
    return compress((amplitude(scene.image) + _level(level_db) * smeared) * phase(scene, rng))


def interference(scene: Scene, level_db: float, rng: Generator) -> UnitImage:
    """Lay the spokes of a foreign transmitter, such as diathermy, over the scan (SCIENCE 7.3).

    `level_db` counts from this image's bright echoes, as for `haze`.
    """
    depth, lateral = scene.geometry.depth, scene.geometry.lateral
    spokes = np.sin(2 * np.pi * (45 * depth + 9 * lateral)) > 0.8
    foreign = (0.3 + np.clip(depth, 0, 1)) * noise(scene, rng, 0.5, 0.3) * spokes
    return compress(
        amplitude(scene.image) * phase(scene, rng) + _level(level_db) * _bright(scene) * foreign
    )
