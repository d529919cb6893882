"""What an operator works on, and the arithmetic of log-compressed ultrasound.

Grey y in [0, 1] is clip(1 + 20 log10(a) / 60) of the echo amplitude a (SCIENCE 7.1, 60 dB display
range): a gain is a shift of grey; what interferes (speckle, haze, echoes of echoes) adds as complex
amplitude.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.beams import beam_table
from sonoquality.geometry import ScanGeometry

DISPLAY_RANGE_DB = 60.0
PSF_AXIAL_PX, PSF_LATERAL_PX = 1.0, 2.0  #: point spread at 448 px

C64 = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One image with its mask and its beams."""

    image: UnitImage  #: (h, w), [0, 1]
    scan_mask: Mask  #: (h, w)
    geometry: ScanGeometry


def amplitude(image: UnitImage) -> UnitImage:
    """Undo the log compression: grey to echo amplitude, 1 at white."""
    return np.asarray(np.power(10, (image - 1) * np.float32(DISPLAY_RANGE_DB / 20)), np.float32)


def compress(echo: UnitImage | C64) -> UnitImage:
    """Log-compress the magnitude of an echo to grey in [0, 1]."""
    magnitude = np.maximum(np.abs(echo), np.float32(1e-9))
    grey = 1 + 20 / DISPLAY_RANGE_DB * np.log10(magnitude)
    return np.asarray(np.clip(grey, 0, 1), np.float32)


def shift_db(image: UnitImage, gain_db: UnitImage | float) -> UnitImage:
    """Apply a gain in dB: a shift of grey, cut off at black and white."""
    return np.clip(image + np.asarray(gain_db, np.float32) / DISPLAY_RANGE_DB, 0, 1)


def sigmoid(x: UnitImage) -> UnitImage:
    """Logistic step, safe for large arguments."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)


def noise(scene: Scene, rng: Generator, axial: float, lateral: float) -> C64:
    """Complex Gaussian noise smoothed by a point spread (sigma in px), of unit power in the scan.

    The grain follows the beams: in a fan it turns with them and widens with depth.
    """
    table = beam_table(scene.scan_mask)
    parts = rng.standard_normal((2, *table.shape), dtype=np.float32)
    width = lateral * table.beams_per_px
    smooth = ndimage.gaussian_filter(parts, (0, axial, width), mode="nearest")
    real, imaginary = table.to_pixels(smooth[0]), table.to_pixels(smooth[1])
    power = float(np.mean((real**2 + imaginary**2)[scene.scan_mask]))
    return np.asarray((real + 1j * imaginary) / np.sqrt(power), np.complex64)


def psf_noise(scene: Scene, rng: Generator) -> C64:
    """Noise with the grain of the scanner's own point spread."""
    return noise(scene, rng, PSF_AXIAL_PX, PSF_LATERAL_PX)


def phase(scene: Scene, rng: Generator) -> C64:
    """Random phase that varies over the point spread."""
    field = psf_noise(scene, rng)
    return np.asarray(field / np.maximum(np.abs(field), 1e-6), np.complex64)


def strongest(scene: Scene, percentile: float, soft_px: float) -> UnitImage:
    """Amplitude of echoes above a percentile of the scan, 0 elsewhere, with edges `soft_px` wide.

    Hard edges of a chosen set of pixels would be copied as such, and no echo has them. Where so
    much is white that nothing is above the percentile, the white counts.
    """
    echo = amplitude(scene.image)
    least = np.percentile(echo[scene.scan_mask], percentile)
    above = scene.scan_mask & (echo > least)
    bright = above if above.any() else scene.scan_mask & (echo >= least)
    soft = ndimage.gaussian_filter(bright.astype(np.float32), soft_px)
    return np.where(scene.scan_mask, echo * soft, np.float32(0))


def displaced(
    field: UnitImage, scene: Scene, axial_px: float, lateral_px: float = 0.0
) -> UnitImage:
    """Fetch for every pixel of the scan the value `axial_px` deeper and `lateral_px` to the right.

    Pixels outside the scan get 0, and so do those whose source lies outside the picture.
    """
    rows, columns = np.nonzero(scene.scan_mask)
    down = scene.geometry.axial_row[rows, columns]
    across = scene.geometry.axial_col[rows, columns]
    source = (
        rows + axial_px * down - lateral_px * across,
        columns + axial_px * across + lateral_px * down,
    )
    fetched = np.zeros_like(field)
    fetched[rows, columns] = ndimage.map_coordinates(field, source, order=1, mode="constant")
    return fetched


def within(field: UnitImage, scan_mask: Mask) -> UnitImage:
    """Zero a field outside the mask, so that smoothing can be normalised by the smoothed mask."""
    return np.where(scan_mask, field, np.float32(0))


def smoothed_within(field: UnitImage, scan_mask: Mask, sigma_px: float) -> UnitImage:
    """Smooth a field by what lies inside the mask only; the background does not leak in."""
    total = ndimage.gaussian_filter(within(field, scan_mask), sigma_px)
    weight = ndimage.gaussian_filter(scan_mask.astype(np.float32), sigma_px)
    return np.asarray(total / np.maximum(weight, np.float32(1e-3)), np.float32)
