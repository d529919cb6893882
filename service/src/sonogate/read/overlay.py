"""Screen furniture: what the scanner draws over its image, none of it echo.

Saturated colour (flow, bars, coloured text) by its chroma; white text, calipers, boxes and traces
by their form: thin, evenly bright, with edges sharper than an echo's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.marks import is_cross

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]

#: max(R, G, B) - min(R, G, B) above which a pixel is coloured: .12 of the range (SCIENCE.md §6).
CHROMA = 31
#: A stroke stands out of its ground by at least so many grey levels.
STROKE_CONTRAST = 60
#: Connected colour smaller than this is compression noise.
LEAST_COLOUR_PIXELS = 12
#: Lit pixels of one hue beyond this share are a tinted grey map, not flow.
TINT_SHARE = 0.6
TINT_SPREAD = 10.0
EIGHT = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Overlay:
    """What was found."""

    mask: Mask  #: (height, width) everything that is not echo
    flow: Mask  #: (height, width) the part that is colour Doppler or another filled colour
    glyphs: int  #: number of white strokes and letters
    has_calipers: bool


def coloured(picture: NDArray[np.uint8]) -> Mask:
    """Return where an RGB picture is saturated; nowhere if it is grey or a tinted grey map.

    Args:
        picture: (height, width) or (height, width, 3).
    """
    if picture.ndim == 2:
        return np.zeros(picture.shape, dtype=np.bool_)
    highest = np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])
    lowest = np.minimum(np.minimum(picture[..., 0], picture[..., 1]), picture[..., 2])
    saturated: Mask = (highest - lowest) > CHROMA
    if not saturated.any() or _is_tinted(picture, saturated):
        return np.zeros(saturated.shape, dtype=np.bool_)
    return _without_small(saturated, LEAST_COLOUR_PIXELS)


def _is_tinted(picture: NDArray[np.uint8], saturated: Mask) -> bool:
    """Whether colour is a function of brightness alone, as in a sepia or blue grey map."""
    lit = picture.max(axis=-1) > 2 * CHROMA
    if saturated[lit].mean(dtype=np.float64) < TINT_SHARE if lit.any() else True:
        return False
    pixels = picture[lit].astype(np.int16)
    green = pixels[:, 1]
    differences = np.stack([pixels[:, 0] - green, pixels[:, 2] - green], axis=1)
    level = green // 16
    counts = np.bincount(level, minlength=16)
    spread = 0.0
    for difference in differences.T.astype(np.float64):
        mean = np.bincount(level, difference, 16) / np.maximum(counts, 1)
        spread = max(spread, float(np.mean(np.abs(difference - mean[level]))))
    return spread < TINT_SPREAD


def find_overlay(luma: Luma, colour: Mask, screen_side: int) -> Overlay:
    """Find the furniture in one frame, or in the darkest of several.

    Args:
        luma: (height, width); for a cine the minimum over its frames, which keeps what stands still.
        colour: (height, width) saturated pixels of any frame.
        screen_side: longer side of the whole frame, by which letters are scaled.
    """
    strokes = _strokes(luma, screen_side)
    labels, n_strokes = ndimage.label(strokes, EIGHT)
    kept = _glyph_labels(luma, labels, n_strokes)
    glyphs: Mask = kept[labels]
    flow = _filled(colour)
    mask = ndimage.binary_dilation(glyphs, EIGHT, iterations=2)
    mask |= ndimage.binary_dilation(colour, EIGHT, iterations=1)
    return Overlay(
        mask=mask,
        flow=flow,
        glyphs=int(kept.sum()),
        has_calipers=_any_cross(labels, kept, screen_side),
    )


def _strokes(luma: Luma, screen_side: int) -> Mask:
    """Return bright structures narrower than the strokes of letters can be."""
    side = max(5, 2 * round(screen_side / 160) + 1)
    opened = ndimage.grey_opening(luma, size=(side, side))
    strokes: Mask = (luma - opened) >= STROKE_CONTRAST
    return strokes


def _glyph_labels(luma: Luma, labels: Labels, n_labels: int) -> Mask:
    """Return, per label, whether the component looks drawn; label 0 is the ground."""
    if n_labels == 0:
        return np.zeros(1, dtype=np.bool_)
    size = np.bincount(labels.ravel(), minlength=n_labels + 1)
    mean, spread = _moments(luma, labels, n_labels)
    around = ndimage.maximum_filter(labels, size=7)
    near = ndimage.maximum_filter(labels, size=3) > 0
    ground_mean, ground_spread = _moments(luma, np.where(near, 0, around), n_labels)
    contrast = mean - ground_mean
    on_dark = (ground_mean < 40) & (ground_spread < 20) & (contrast > 70) & (spread < 0.3 * mean)
    on_tissue = (mean > 190) & (spread < 22) & (contrast > 110)
    kept: Mask = (on_dark | on_tissue) & (size >= 4)
    kept[0] = False
    return kept


def _moments(
    luma: Luma, labels: Labels, n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the luminance under each label."""
    flat, values = labels.ravel(), luma.ravel().astype(np.float64)
    count = np.maximum(np.bincount(flat, minlength=n_labels + 1), 1)
    mean = np.bincount(flat, values, n_labels + 1) / count
    square = np.bincount(flat, values * values, n_labels + 1) / count
    return mean, np.sqrt(np.maximum(square - mean * mean, 0.0))


def _filled(colour: Mask) -> Mask:
    """Keep connected colour that is more than lines and letters."""
    core = ndimage.binary_opening(colour, np.ones((5, 5), dtype=np.bool_))
    labels, n_labels = ndimage.label(colour, EIGHT)
    has_core = np.zeros(n_labels + 1, dtype=np.bool_)
    has_core[np.unique(labels[core])] = True
    has_core[0] = False
    filled: Mask = has_core[labels]
    return filled


def _without_small(mask: Mask, least: int) -> Mask:
    labels, n_labels = ndimage.label(mask, EIGHT)
    size = np.bincount(labels.ravel(), minlength=n_labels + 1)
    size[0] = 0
    large: Mask = (size >= least)[labels]
    return large


def _any_cross(labels: Labels, kept: Mask, screen_side: int) -> bool:
    longest = max(12, screen_side // 25)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None and kept[label] and is_cross(labels[box] == label, longest):
            return True
    return False
