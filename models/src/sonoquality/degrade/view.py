"""The operator of the view: a depth set too large. It spoils what is shown, not how well."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.arrays import UnitImage
from sonoquality.degrade.scene import Scene, psf_noise, sigmoid, smoothed_within

KNOWN_DEPTH = 0.97  #: how much of the scan's depth is kept: its rim is often broken
DEEP_FROM = 0.6  #: from here on the level of the deep tissue is taken
LOSS_DB = 12.0  #: lost per further depth of the scan
SOFT = 0.02  #: width of the seam to what is made up, in parts of the scan
ANTIALIAS_PX = 0.35  #: smoothing per reduction
N_LOOKS = 3  #: of the made-up speckle
N_DEPTHS = 40


@dataclass(frozen=True, slots=True)
class _Seen:
    """What each pixel shows: a place of the old scan, in its beams and in its pixels."""

    depth: UnitImage
    lateral: UnitImage
    row: UnitImage
    col: UnitImage


def depth_error(scene: Scene, scale: float, rng: Generator) -> UnitImage:
    """Show the whole scan `scale` times smaller, hung from the same skin (SCIENCE 7.3).

    As on a cart, the sector narrows, and beside it the screen is black. The tissue that comes in
    below is unknown: it is speckle at the level of the old scan's deep part, darker with depth. The
    notes' other form, the target cut off by the frame, needs a target and is not made.
    """
    seen = _seen_fan(scene, scale) if scene.geometry.apex else _seen_linear(scene, scale)
    smooth = ndimage.gaussian_filter(scene.image, ANTIALIAS_PX * (scale - 1))
    fetched = ndimage.map_coordinates(smooth, (seen.row, seen.col), order=1, mode="nearest")
    known = sigmoid(np.float32(4 / SOFT) * (np.float32(KNOWN_DEPTH) - seen.depth))
    both = known * np.asarray(fetched, np.float32) + (1 - known) * _tissue(scene, seen.depth, rng)
    inside = (seen.lateral >= 0) & (seen.lateral <= 1) & (seen.depth >= 0)
    return np.where(inside, np.clip(both, 0, 1), np.float32(0))


def _seen_linear(scene: Scene, scale: float) -> _Seen:
    geometry = scene.geometry
    row, col = np.mgrid[0 : geometry.depth.shape[0], 0 : geometry.depth.shape[1]].astype(np.float32)
    more = np.float32(scale - 1)
    further = more * (geometry.lateral - np.float32(0.5))
    return _Seen(
        geometry.depth * np.float32(scale),
        geometry.lateral + further,
        row + more * geometry.depth * np.float32(geometry.length_px),
        col + further * geometry.pitch_px,
    )


def _seen_fan(scene: Scene, scale: float) -> _Seen:
    """Look from the skin's middle `scale` times as far in every direction."""
    geometry = scene.geometry
    apex_row, apex_col = geometry.apex or (0.0, 0.0)
    row, col = np.mgrid[0 : geometry.depth.shape[0], 0 : geometry.depth.shape[1]].astype(np.float32)
    radius = np.maximum(np.hypot(row - apex_row, col - apex_col), np.float32(1))
    skin = radius - geometry.depth * np.float32(geometry.length_px)
    span = float(np.median((geometry.pitch_px / radius)[scene.scan_mask]))
    low = float(np.median(np.arctan2(col - apex_col, row - apex_row) - geometry.lateral * span))
    middle, face = low + span / 2, float(np.median(skin[scene.scan_mask]))
    top = apex_row + face * np.cos(middle), apex_col + face * np.sin(middle)
    far_row, far_col = (
        c + np.float32(scale) * (at - c) for c, at in zip(top, (row, col), strict=True)
    )
    far_radius = np.hypot(far_row - apex_row, far_col - apex_col)
    angle = np.arctan2(far_col - apex_col, far_row - apex_row)
    return _Seen(
        np.asarray((far_radius - face) / geometry.length_px, np.float32),
        np.asarray((angle - low) / span, np.float32),
        np.asarray(far_row, np.float32),
        np.asarray(far_col, np.float32),
    )


def _tissue(scene: Scene, deeper: UnitImage, rng: Generator) -> UnitImage:
    """Speckle with the mean level and the unevenness that the scan has at each depth."""
    level = _level_at(scene, deeper)
    power = sum(np.abs(psf_noise(scene, rng)) ** 2 for _ in range(N_LOOKS))
    grain = np.log10(np.maximum(power, np.float32(1e-6)))
    grain = (grain - grain[scene.scan_mask].mean()) / grain[scene.scan_mask].std()
    rest = scene.image - smoothed_within(scene.image, scene.scan_mask, 6)
    deep = scene.scan_mask & (scene.geometry.depth > DEEP_FROM)
    uneven = 1.2 * np.median(np.abs(rest[deep if deep.any() else scene.scan_mask]))
    return np.asarray(level + uneven * np.minimum(level / 0.15, 1) * grain, np.float32)


def _level_at(scene: Scene, deeper: UnitImage) -> UnitImage:
    """Mean grey at a depth of the scan; below its end the deep level, ever darker."""
    depth = scene.geometry.depth[scene.scan_mask]
    cell = np.clip((depth * N_DEPTHS).astype(np.intp), 0, N_DEPTHS - 1)
    count = np.maximum(np.bincount(cell, minlength=N_DEPTHS), 1)
    mean = np.bincount(cell, scene.image[scene.scan_mask], minlength=N_DEPTHS) / count
    first_deep = int(DEEP_FROM * N_DEPTHS)
    mean[first_deep:] = np.average(mean[first_deep:], weights=count[first_deep:])
    middle = (np.arange(N_DEPTHS) + 0.5) / N_DEPTHS
    level = np.interp(deeper, middle, ndimage.gaussian_filter1d(mean, 1.5))
    loss = LOSS_DB / 60 * np.clip(deeper - DEEP_FROM, 0, None)
    return np.asarray(np.maximum(level - loss, 0), np.float32)
