"""Operators of lost sharpness: beam width (defocus) and motion."""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.arrays import UnitImage
from sonoquality.degrade.scene import Scene, amplitude, compress, displaced, within

AXIAL_SHARE = 0.25  #: axial blur as a share of the lateral one: pulses stay short when beams widen
MOTION_DEGREES = 17.0


def defocus(scene: Scene, sigma_px: float, _rng: Generator) -> UnitImage:
    """Widen the beam: blur echo power across the beams, a quarter of it along (SCIENCE 7.3)."""
    axial = AXIAL_SHARE * sigma_px
    lateral = float(np.sqrt(sigma_px**2 - axial**2))
    mask = scene.scan_mask.astype(np.float32)
    power = _across(within(amplitude(scene.image) ** 2, scene.scan_mask), scene, axial, lateral)
    weight = _across(mask, scene, axial, lateral)
    return compress(np.sqrt(np.maximum(power, 0) / np.maximum(weight, 1e-3)))


def _across(field: UnitImage, scene: Scene, axial: float, lateral: float) -> UnitImage:
    """Smooth isotropically by `axial` and then across the beams by `lateral` (sigmas in px)."""
    smooth = ndimage.gaussian_filter(field, axial)
    if scene.geometry.apex is None:
        return np.asarray(ndimage.gaussian_filter1d(smooth, lateral, axis=1), np.float32)
    step = max(0.5, lateral / 2)
    reach = int(np.ceil(3 * lateral / step))
    total, weights = np.zeros_like(field), 0.0
    for tap in range(-reach, reach + 1):
        weight = float(np.exp(-0.5 * (tap * step / lateral) ** 2))
        total += np.float32(weight) * displaced(smooth, scene, 0, tap * step)
        weights += weight
    return total / np.float32(weights)


def motion(scene: Scene, length_px: float, _rng: Generator) -> UnitImage:
    """Smear along a line, as averaging frames does while the probe moves (SCIENCE 7.3)."""
    kernel = _line(length_px)
    moved = ndimage.convolve(within(scene.image, scene.scan_mask), kernel, mode="constant")
    weight = ndimage.convolve(scene.scan_mask.astype(np.float32), kernel, mode="constant")
    return np.asarray(np.clip(moved / np.maximum(weight, 1e-3), 0, 1), np.float32)


def _line(length_px: float) -> UnitImage:
    """A line of unit weight through the middle of a small kernel."""
    reach = int(length_px) // 2 + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    angle = np.deg2rad(MOTION_DEGREES)
    for along in np.linspace(-length_px / 2, length_px / 2, 8 * int(length_px)):
        row, col = reach + along * np.sin(angle), reach + along * np.cos(angle)
        top, left = int(row), int(col)
        down, right = row - top, col - left
        kernel[top, left] += (1 - down) * (1 - right)
        kernel[min(top + 1, 2 * reach), left] += down * (1 - right)
        kernel[top, min(left + 1, 2 * reach)] += (1 - down) * right
        kernel[min(top + 1, 2 * reach), min(left + 1, 2 * reach)] += down * right
    unit: UnitImage = kernel / kernel.sum()
    return unit
