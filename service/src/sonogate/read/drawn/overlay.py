"""Screen furniture: what the scanner draws over its image, none of it echo.

Saturated colour (flow, bars, coloured text) is told by its chroma; white letters, calipers, boxes
and bars by their form.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonogate.read.drawn.marks import find_bars, find_crosses
from sonogate.read.drawn.morphology import dilate, holes, opened, touching, without_small
from sonogate.read.drawn.plates import find_plates
from sonogate.read.drawn.rules import find_boxes
from sonogate.read.drawn.strokes import find_strokes
from sonogate.read.drawn.words import find_words

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: max(R, G, B) - min(R, G, B) above which a pixel is coloured: .12 of the range (SCIENCE.md §6).
CHROMA = 31
#: Connected colour smaller than this is compression noise.
LEAST_COLOUR_PIXELS = 12
#: Part of the frame that a colour box covers at least.
LEAST_BOX = 0.01
#: Width of its outline, with the black beside it.
BOX_LINE = 4
#: On a screen of this side the half-light rim of a stroke is two pixels wide.
WIDE_RIM = 900
#: Lit pixels of one hue beyond this share are a tinted grey map, not flow.
TINT_SHARE = 0.6
TINT_SPREAD = 10.0


@dataclass(frozen=True, slots=True)
class Overlay:
    """What was found; every mask is (height, width)."""

    mask: Mask  #: everything that is not echo
    ink: Mask  #: the thin part of it: strokes of letters, marks and outlines, with their rims
    broad: Mask  #: the part that hides echoes: colour, bars
    flow: Mask  #: colour Doppler or another filled colour
    colour_boxes: Mask  #: flow, and what coloured outlines enclose: part of the scan
    crosses: Mask  #: measurement marks, anywhere on the screen
    n_letters: int

    @property
    def no_evidence(self) -> Mask:
        """What tells nothing of where the scan lies."""
        kept = dilate(self.colour_boxes, BOX_LINE)
        plain: Mask = (dilate(self.ink, 2) | self.broad) & ~kept
        return plain

    def with_furniture(self, found: Mask) -> "Overlay":
        """Return the same with one more part that is not echo, whatever was seen in it."""
        return replace(
            self,
            mask=self.mask | found,
            ink=self.ink & ~found,
            broad=self.broad | found,
            flow=self.flow & ~found,
            colour_boxes=self.colour_boxes & ~found,
            crosses=self.crosses & ~found,
        )

    def with_strokes(self, found: Mask) -> "Overlay":
        """Return the same with more thin strokes."""
        if not found.any():
            return self
        around = dilate(found, 1)
        return replace(self, mask=self.mask | around, ink=self.ink | (around & ~self.broad))


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
    if not saturated.any() or _is_tinted(picture, highest, saturated):
        return np.zeros(saturated.shape, dtype=np.bool_)
    return saturated


def _is_tinted(picture: NDArray[np.uint8], highest: Luma, saturated: Mask) -> bool:
    """Whether colour is a function of brightness alone, as in a sepia or blue grey map."""
    lit = highest > 2 * CHROMA
    if not lit.any() or saturated[lit].mean(dtype=np.float64) < TINT_SHARE:
        return False
    pixels = picture[lit].astype(np.int16)
    green = pixels[:, 1]
    differences = np.stack([pixels[:, 0] - green, pixels[:, 2] - green], axis=1)
    level = green // 16
    counts = np.maximum(np.bincount(level, minlength=16), 1)
    spread = 0.0
    for difference in differences.T.astype(np.float64):
        mean = np.bincount(level, difference, 16) / counts
        spread = max(spread, float(np.mean(np.abs(difference - mean[level]))))
    return spread < TINT_SPREAD


def find_overlay(luma: Luma, first: Luma, colour: Mask, screen_side: int) -> Overlay:
    """Find the furniture in one frame, or in the darkest of several.

    Args:
        luma: (height, width); for a cine the minimum over its frames: it keeps what stands still.
        first: (height, width) the first frame, in which measurement marks are looked for.
        colour: (height, width) saturated pixels of any frame.
        screen_side: longer side of the whole frame, by which letters are scaled.
    """
    colour = without_small(colour, LEAST_COLOUR_PIXELS)
    near_colour = dilate(colour, 1)
    flow = _filled(colour)
    strokes, n_letters = find_strokes(luma, near_colour, screen_side)
    crosses = find_crosses(first, colour, screen_side)
    lines = strokes | crosses | find_boxes(luma, screen_side)
    words = find_words(luma, screen_side)
    rim = 1 if screen_side < WIDE_RIM else 2
    ink = dilate(lines | words.ink, rim) | near_colour
    broad = _thick(flow) | find_bars(luma, screen_side) | find_plates(luma, ink, words.lines)
    return Overlay(
        mask=dilate(lines, 2) | near_colour | broad | ink | words.boxes,
        ink=ink & ~broad,
        broad=broad,
        flow=flow,
        colour_boxes=flow | _enclosed(near_colour),
        crosses=crosses,
        n_letters=n_letters,
    )


def _enclosed(outlines: Mask) -> Mask:
    """Return the insides of coloured boxes, with their outlines; of letters and traces nothing."""
    if not outlines.any():
        return outlines
    least = max(LEAST_COLOUR_PIXELS, int(LEAST_BOX * outlines.size))
    return dilate(without_small(holes(outlines), least), BOX_LINE)


def _thick(flow: Mask) -> Mask:
    """Return flow without the lines that touch it: the outline of its box."""
    if not flow.any():
        return flow
    return dilate(flow & dilate(opened(flow, 2), 3), 1)


def _filled(colour: Mask) -> Mask:
    """Keep connected colour that is more than lines and letters."""
    return touching(colour, opened(colour, 2)) if colour.any() else colour
