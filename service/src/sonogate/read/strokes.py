"""White graphics by their form: letters on the black screen, lines and dots drawn over tissue."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]

EIGHT = np.ones((3, 3), dtype=np.bool_)
#: A stroke stands out of its ground by at least so many grey levels.
STROKE_CONTRAST = 60
#: A letter's ground: the even black of the screen. Echoes never lie on such.
BLACK, EVEN = 32, 8
#: A line over tissue: near white, in one grey level, this much lighter than what is around it.
WHITE, LINE_CONTRAST, ONE_LEVEL = 190, 95, 14
LEAST_PIXELS = 4


def find_strokes(luma: Luma, colour: Mask, screen_side: int) -> tuple[Mask, int]:
    """Find letters and lines.

    Args:
        luma: (height, width).
        colour: (height, width) saturated pixels, which are found elsewhere.
        screen_side: longer side of the whole frame, by which letters are scaled.

    Returns:
        (height, width) True on strokes, and how many letters there are.
    """
    side = max(5, 2 * round(screen_side / 160) + 1)
    opened = ndimage.grey_opening(luma, size=(side, side))
    thin = ((luma - opened) >= STROKE_CONTRAST) & ~colour
    labels, n_labels = ndimage.label(thin, EIGHT)
    if n_labels == 0:
        return np.zeros(luma.shape, dtype=np.bool_), 0
    form = _Form(luma, labels, n_labels)
    letter_side = max(24, screen_side // 24)
    letters = form.letters(letter_side)
    kept: Mask = (letters | form.lines())[labels]
    return kept | _rest_of_words(luma, letters[labels], screen_side), int(letters.sum())


def _rest_of_words(luma: Luma, letters: Mask, screen_side: int) -> Mask:
    """Return what shines beside letters on the same line: their faint and their thick parts."""
    gap = max(9, screen_side // 50)
    line = ndimage.binary_closing(np.pad(letters, gap), np.ones((1, gap), dtype=np.bool_))
    line = ndimage.binary_dilation(line[gap:-gap, gap:-gap], np.ones((3, gap), dtype=np.bool_))
    shining = (luma > 2 * BLACK) & line
    labels, n_labels = ndimage.label(luma > 2 * BLACK, EIGHT)
    if n_labels == 0:
        return shining
    size = np.bincount(labels.ravel(), minlength=n_labels + 1)
    touched = np.zeros(n_labels + 1, dtype=np.bool_)
    touched[np.unique(labels[shining])] = True
    touched &= size < (screen_side // 24) ** 2
    touched[0] = False
    word: Mask = touched[labels]
    return word


class _Form:
    """Size, brightness and surroundings of connected strokes, as arrays over labels."""

    def __init__(self, luma: Luma, labels: Labels, n_labels: int) -> None:
        self._n = n_labels + 1
        self.size = np.bincount(labels.ravel(), minlength=self._n)
        self.mean, _ = self._moments(luma, labels)
        around = ndimage.maximum_filter(labels, size=7)
        near = ndimage.maximum_filter(labels, size=3) > 0
        self.ground, self.ground_spread = self._moments(luma, np.where(near, 0, around))
        peak = np.zeros(self._n, dtype=np.uint8)
        np.maximum.at(peak, labels.ravel(), luma.ravel())
        at_peak = luma >= peak[labels].astype(np.int16) - ONE_LEVEL
        self.level_share = np.bincount(labels.ravel(), at_peak.ravel(), self._n) / np.maximum(
            self.size, 1
        )
        self.peak = peak
        self.height, self.width = self._boxes(labels)

    def _moments(
        self, luma: Luma, labels: Labels
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        flat, values = labels.ravel(), luma.ravel().astype(np.float64)
        count = np.maximum(np.bincount(flat, minlength=self._n), 1)
        mean = np.bincount(flat, values, self._n) / count
        square = np.bincount(flat, values * values, self._n) / count
        return mean, np.sqrt(np.maximum(square - mean * mean, 0.0))

    def _boxes(self, labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        boxes = ndimage.find_objects(labels)
        height = np.array([0, *(box[0].stop - box[0].start for box in boxes)])
        width = np.array([0, *(box[1].stop - box[1].start for box in boxes)])
        return height, width

    def letters(self, letter_side: int) -> Mask:
        """Small strokes on the even black of the screen."""
        small = (self.height <= letter_side) & (self.width <= letter_side)
        on_black = (self.ground < BLACK) & (self.ground_spread < EVEN)
        found: Mask = small & on_black & (self.peak > 96) & (self.size >= LEAST_PIXELS)
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
        )
        found[0] = False
        return found
