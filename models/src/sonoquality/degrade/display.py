"""Operators of display and storage: pixel density, line density, JPEG, grey levels, overlays."""

from io import BytesIO

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy import ndimage

from sonoquality.degrade.geometry import F32, Mask
from sonoquality.degrade.scene import Scene

GLYPHS = "DIST 1.23cm GA 21w3d + x MI 0.9"


def resolution(scene: Scene, scale: float, _rng: Generator) -> F32:
    """Reduce to `scale` of the size and enlarge again (SCIENCE 7.3)."""
    height, width = scene.image.shape
    picture = Image.fromarray(scene.image, mode="F")
    small = picture.resize(
        (max(2, round(width * scale)), max(2, round(height * scale))), Image.Resampling.LANCZOS
    )
    return np.clip(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)


def line_decimation(scene: Scene, factor: float, _rng: Generator) -> F32:
    """Keep every n-th scan line and repeat it over its neighbours, without a filter (SCIENCE 7.3)."""
    geometry = scene.geometry
    n_lines = float(np.median(geometry.pitch_px[scene.scan_mask])) / factor
    kept = (np.floor(geometry.lateral * n_lines) + 0.5) / n_lines
    across = (kept - geometry.lateral) * geometry.pitch_px
    row, col = np.mgrid[0 : across.shape[0], 0 : across.shape[1]].astype(np.float32)
    row -= across * geometry.axial_col
    col += across * geometry.axial_row
    fetched: F32 = ndimage.map_coordinates(scene.image, (row, col), order=0, mode="nearest")
    return fetched


def jpeg(scene: Scene, quality: float, _rng: Generator) -> F32:
    """Store as baseline JPEG of this quality (SCIENCE 7.3; MedMNIST-C)."""
    stream = BytesIO()
    Image.fromarray(np.round(scene.image * 255).astype(np.uint8)).save(
        stream, "JPEG", quality=int(quality)
    )
    with Image.open(stream) as stored:
        return np.asarray(stored, np.float32) / 255


def grey_levels(scene: Scene, n_levels: float, _rng: Generator) -> F32:
    """Keep `n_levels` shades of grey (SCIENCE 7.3)."""
    return np.round(scene.image * (n_levels - 1)).astype(np.float32) / np.float32(n_levels - 1)


def _glyph_area(scene: Scene, share: float, rng: Generator) -> Mask:
    """Write text on the scan until it covers `share` of it, boxes of glyphs counted as a whole."""
    height, width = scene.scan_mask.shape
    covered = np.zeros((height, width), np.bool_)
    wanted, n_words = share * scene.scan_mask.sum(), 0
    words = GLYPHS.split()
    size = max(8, round(height / 28))
    while (covered & scene.scan_mask).sum() < wanted and n_words < 400:
        row, col = rng.uniform(0, height - size), rng.uniform(0, max(1, width - 3 * size))
        canvas = Image.new("1", (width, height))
        pen = ImageDraw.Draw(canvas)
        pen.text((col, row), words[int(rng.integers(len(words)))], fill=1, font_size=size)
        covered |= ndimage.binary_dilation(np.asarray(canvas, np.bool_))
        n_words += 1
    return covered & scene.scan_mask


def annotations(scene: Scene, share: float, rng: Generator) -> F32:
    """Cover `share` of the scan with white text (SCIENCE 7.3); a score must not move with it: overlays are masked."""
    covered = _glyph_area(scene, share, rng)
    return np.where(covered, np.float32(1), scene.image)


def annotations_area(scene: Scene, share: float, rng: Generator) -> Mask:
    """Pixels under the text."""
    return _glyph_area(scene, share, rng)
