"""Operators of display and storage: pixel density, line density, JPEG, grey levels."""

from io import BytesIO

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy import ndimage

from sonoquality.arrays import UnitImage
from sonoquality.degrade.scene import Scene


def resolution(scene: Scene, scale: float, _rng: Generator) -> UnitImage:
    """Reduce to `scale` of the size and enlarge again (SCIENCE 7.3)."""
    height, width = scene.image.shape
    picture = Image.fromarray(scene.image, mode="F")
    reduced = picture.resize(
        (max(2, round(width * scale)), max(2, round(height * scale))), Image.Resampling.LANCZOS
    )
    enlarged = reduced.resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(enlarged, np.float32), 0, 1)


def line_decimation(scene: Scene, factor: float, _rng: Generator) -> UnitImage:
    """Keep every n-th scan line and repeat it over its neighbours, unfiltered (SCIENCE 7.3)."""
    geometry = scene.geometry
    n_lines = float(np.median(geometry.pitch_px[scene.scan_mask])) / factor
    kept = (np.floor(geometry.lateral * n_lines) + 0.5) / n_lines
    across = (kept - geometry.lateral) * geometry.pitch_px
    row, col = np.mgrid[0 : across.shape[0], 0 : across.shape[1]].astype(np.float32)
    row -= across * geometry.axial_col
    col += across * geometry.axial_row
    fetched: UnitImage = ndimage.map_coordinates(scene.image, (row, col), order=0, mode="nearest")
    return fetched


def jpeg(scene: Scene, quality: float, _rng: Generator) -> UnitImage:
    """Store as baseline JPEG of this quality (SCIENCE 7.3; MedMNIST-C)."""
    stream = BytesIO()
    Image.fromarray(np.round(scene.image * 255).astype(np.uint8)).save(
        stream, "JPEG", quality=int(quality)
    )
    with Image.open(stream) as stored:
        return np.asarray(stored, np.float32) / np.float32(255)


def grey_levels(scene: Scene, n_levels: float, _rng: Generator) -> UnitImage:
    """Keep `n_levels` shades of grey (SCIENCE 7.3)."""
    steps = np.float32(n_levels - 1)
    return np.asarray(np.round(scene.image * steps) / steps, np.float32)
