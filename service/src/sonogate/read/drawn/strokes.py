"""White graphics by their form: letters on the black screen, lines and dots drawn over tissue."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonogate.read.drawn.dots import in_chains
from sonogate.read.drawn.morphology import (
    Labels,
    closed,
    dilate,
    label,
    select,
    sizes,
    without_small,
)

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: A stroke stands out of its ground by at least so many grey levels.
STROKE_CONTRAST = 60
#: A letter's ground: the even black of the screen. Echoes never lie on such.
BLACK, EVEN = 32, 8
#: Or the flat colour of a title bar.
BAND, EVEN_BAND = 128, 4
#: A line over tissue: near white, in one grey level, this much lighter than what is around it.
WHITE, LINE_CONTRAST, ONE_LEVEL = 190, 95, 14
LEAST_PIXELS = 4


def find_strokes(luma: Luma, colour: Mask, screen_side: int) -> tuple[Mask, int]:
    """Find letters and lines.

    Args:
        luma: (height, width).
        colour: (height, width) saturated pixels: no white strokes, but perhaps letters.
        screen_side: longer side of the whole frame, by which letters are scaled.

    Returns:
        (height, width) True on strokes, and how many letters there are.
    """
    side = max(5, 2 * round(screen_side / 160) + 1)
    ground = ndimage.grey_opening(luma, size=(side, side))
    thin = ((luma - ground) >= STROKE_CONTRAST) & ~colour
    labels, n_parts = label(thin)
    if n_parts == 0:
        return np.zeros(luma.shape, dtype=np.bool_), 0
    form = _Form(luma, labels, n_parts)
    letter_side = max(24, screen_side // 24)
    letters = form.letters(letter_side)
    kept: Mask = (letters | form.lines() | form.dotted(screen_side))[labels]
    coloured_letters = colour & ~without_small(colour, letter_side**2 // 2)
    words = _rest_of_words(luma, letters[labels] | coloured_letters, screen_side)
    return kept | words, int(letters.sum())


def _rest_of_words(luma: Luma, letters: Mask, screen_side: int) -> Mask:
    """Return what shines beside letters on the same line: their faint and their thick parts."""
    gap = max(4, screen_side // 100)
    line = dilate(closed(letters, 0, gap), 1, gap)
    shining = luma > 2 * BLACK
    labels, n_parts = label(shining)
    size = sizes(labels, n_parts)
    on_line = np.bincount(labels[line], minlength=n_parts + 1)
    in_word = (on_line > 0.6 * size) & (size < (screen_side // 24) ** 2)
    return select(labels, n_parts, np.flatnonzero(in_word))


class _Form:
    """Size, brightness and surroundings of connected strokes, as arrays over labels."""

    def __init__(self, luma: Luma, labels: Labels, n_parts: int) -> None:
        self._n = n_parts + 1
        self.size = sizes(labels, n_parts)
        self.mean, _ = self._moments(luma, labels)
        around = ndimage.maximum_filter(labels, size=7)
        around[ndimage.maximum_filter(labels, size=3) > 0] = 0
        self.ground, self.ground_spread = self._moments(luma, around)
        ring = np.bincount(around.ravel(), minlength=self._n)
        #: Strokes packed too densely to see their ground are a texture.
        self.is_alone = ring >= np.maximum(8, self.size // 4)
        at = np.flatnonzero(labels)
        number, value = labels.ravel()[at], luma.ravel()[at]
        self.peak = np.zeros(self._n, dtype=np.int16)
        np.maximum.at(self.peak, number, value)
        near_peak = value >= self.peak[number] - ONE_LEVEL
        self.level_share = np.bincount(number, near_peak, self._n) / np.maximum(self.size, 1)
        self.height, self.width, self.middle = self._boxes(labels)

    def _moments(
        self, luma: Luma, labels: Labels
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        at = np.flatnonzero(labels)
        number, value = labels.ravel()[at], luma.ravel()[at].astype(np.float64)
        count = np.maximum(np.bincount(number, minlength=self._n), 1)
        mean = np.bincount(number, value, self._n) / count
        square = np.bincount(number, value * value, self._n) / count
        return mean, np.sqrt(np.maximum(square - mean * mean, 0.0))

    def _boxes(
        self, labels: Labels
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return heights and widths, and the middles as (part, 2) row and column."""
        found = [
            (b[0].start, b[0].stop, b[1].start, b[1].stop) for b in ndimage.find_objects(labels)
        ]
        top, bottom, left, right = np.array([(0, 0, 0, 0), *found], dtype=np.int64).T
        middle = np.stack([top + bottom - 1, left + right - 1], axis=1) / 2
        return bottom - top, right - left, middle

    def letters(self, letter_side: int) -> Mask:
        """Small strokes on the even black of the screen."""
        small = (self.height <= letter_side) & (self.width <= letter_side)
        on_black = (self.ground < BLACK) & (self.ground_spread < EVEN)
        on_band = (self.ground < BAND) & (self.ground_spread < EVEN_BAND)
        found: Mask = small & (on_black | on_band) & self.is_alone
        found &= (self.peak > 96) & (self.size >= LEAST_PIXELS)
        found[0] = False
        return found

    def lines(self) -> Mask:
        """Strokes of one near-white level, thin for their length, over anything."""
        thin = self.size <= 4 * (self.height + self.width)
        one_level = (self.peak > WHITE) & (self.level_share > 0.5)
        found: Mask = (
            thin
            & one_level
            & (self.mean - self.ground > LINE_CONTRAST)
            & (self.size >= LEAST_PIXELS)
            & self.is_alone
        )
        found[0] = False
        return found

    def dotted(self, screen_side: int) -> Mask:
        """White dots that stand in a row at even distances, as between two calipers."""
        widest = max(3, screen_side // 250)
        small = np.maximum(self.height, self.width) <= widest
        is_dot = small & (self.peak > WHITE) & (self.mean - self.ground > STROKE_CONTRAST)
        is_dot[0] = False
        number = np.flatnonzero(is_dot)
        found = np.zeros(self._n, dtype=np.bool_)
        found[number[in_chains(self.middle[number], screen_side)]] = True
        return found
