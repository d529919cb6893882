"""The small picture for people: recognisable, and without a legible letter by construction.

Every shown value is the median of a window twice as high as letters. Over a line of text letters
fill less than half of such a window, so its median stays within the echoes around them, whatever
their grey, font or direction. No detector has to find them; what one finds is left out before.
Layers thinner than letters are drawn over the medians where a line longer than several letters
is lit nearly without a gap, which no row of letters is.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage

from sonogate.domain.frames import FrameStack
from sonogate.read.drawn.morphology import dilate
from sonogate.read.layers import find_layers

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int32]

THUMBNAIL_SIDE = 320
#: Windows to the screen's longer side, and the least side of one in pixels: twice the height of the
#: largest capitals that carts burn in (20 pixels on a screen of 800).
WINDOWS, LEAST_WINDOW = 20, 24
#: Cells to a window's side, an odd number; so many greys are told apart in a cell.
CELLS, LEVELS = 3, 64
#: Part of a window that must be seen; else one three times as wide is asked.
LEAST_SEEN = 0.1
#: Pixels to a window's side that are looked at, at least.
SAMPLED = 16
#: Grey above which a pixel is lit, and the lit share of an image that fills its frame.
LIT, LEAST_LIT = 16, 0.35
#: Samples to a window's side in which layers are looked for, and how often a layer is as light as
#: its ground; how much lighter it is drawn, and how softly, in pixels.
SAMPLES, LIGHTER, LAYER, SOFT = 13, 1.3, 70, 0.8
#: The lightest medians of a dim image are shown as light as this, at so many times their grey.
BRIGHT, MOST_GAIN = 80, 8.0


def thumbnail_png(stack: FrameStack, row: int) -> bytes:
    """Return one frame as a small grey PNG on which no text can be read.

    Everything outside the scan is black. The text chunk "sonogate-region" says which part of the
    stored frame is shown (x,y,width,height), so that a page can outline findings.

    Args:
        stack: of `read_frames`.
        row: index into `stack.frames`.
    """
    image = Image.fromarray(without_letters(stack, row))
    out = BytesIO()
    shows, region = PngInfo(), stack.region
    shows.add_text("sonogate-region", f"{region.x},{region.y},{region.width},{region.height}")
    image.save(out, "PNG", pnginfo=shows)
    return out.getvalue()


def without_letters(stack: FrameStack, row: int) -> Grey:
    """Return the medians of one frame's windows, (height, width) of at most THUMBNAIL_SIDE."""
    frame = stack.frames[row]
    window = max(LEAST_WINDOW, stack.screen_side // WINDOWS)
    by = max(1, window // SAMPLED)
    seen = stack.scan_mask & ~dilate(stack.overlay_mask, 1)
    mask = stack.scan_mask
    if mask.all() and not _fills_its_frame(frame, seen):
        mask = _echoes(frame)
        seen &= mask
    grid = _Grid(frame[::by, ::by].shape, max(1, round(window / by / CELLS)))
    medians = grid.medians(frame[::by, ::by], seen[::by, ::by])
    scan = grid.shares(mask[::by, ::by])
    size = _small(frame.shape)
    shown = np.where(grid.drawn(scan, size) > 0.5, grid.drawn(medians, size), 0.0)
    gain = _gain(medians[scan > 0.5])
    sample = max(2, round(window / SAMPLES))
    few = frame[::sample, ::sample]
    echoes = ~stack.overlay_mask if gain > 1 else seen
    lit = few > grid.drawn(np.maximum(medians * LIGHTER, medians + LIT), few.shape)
    shown = shown * gain + LAYER * _drawn(find_layers(lit & echoes[::sample, ::sample]), size)
    whole: Grey = np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
    return whole


def _gain(medians: NDArray[np.float32]) -> float:
    """Return by how much a dim image is brightened for display."""
    lightest = float(np.percentile(medians, 98)) if medians.size else 0.0
    return min(MOST_GAIN, max(1.0, BRIGHT / max(lightest, 1.0)))


def _drawn(layers: Mask, size: tuple[int, int]) -> NDArray[np.float32]:
    """Draw layers as thin lines of (height, width) pixels."""
    image = Image.fromarray(layers.astype(np.float32)).resize(size[::-1])
    soft = ndimage.gaussian_filter(np.asarray(image), SOFT)
    return np.asarray(np.clip(soft / SOFT, 0, 1), dtype=np.float32)


class _Grid:
    """A picture's cells, and the windows of CELLS by CELLS of them around each."""

    def __init__(self, shape: tuple[int, ...], step: int) -> None:
        self._picture, self._step = shape, step
        self._shape = (-(-shape[0] // step), -(-shape[1] // step))
        down, across = (np.arange(side, dtype=np.int32) // step for side in shape)
        self._cell = down[:, None] * self._shape[1] + across

    def medians(self, frame: Grey, seen: Mask) -> NDArray[np.float32]:
        """Return the median of what is seen in each window; 0 where next to nothing is."""
        level = frame // np.uint8(256 // LEVELS)
        counts = self._count(self._cell[seen] * LEVELS + level[seen], LEVELS)
        near, n_near = _median(_windows(counts, CELLS))
        least = LEAST_SEEN * (CELLS * self._step) ** 2
        if (n_near >= least).all():
            return near
        wide, n_wide = _median(_windows(counts, 3 * CELLS))
        return np.where(n_near >= least, near, np.where(n_wide >= least, wide, np.float32(0)))

    def shares(self, mask: Mask) -> NDArray[np.float32]:
        """Return which part of each window is set, of what of it lies in the picture."""
        ones = _windows(self._count(self._cell[mask], 1), CELLS)
        whole = _windows(self._count(self._cell.ravel(), 1), CELLS)
        return (ones / whole)[..., 0].astype(np.float32)

    def drawn(self, values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Enlarge one value per cell smoothly to (height, width)."""
        box = (0, 0, self._picture[1] / self._step, self._picture[0] / self._step)
        image = Image.fromarray(values)
        return np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC, box))

    def _count(self, places: NDArray[np.intp], depth: int) -> Counts:
        n_places = self._shape[0] * self._shape[1] * depth
        counts = np.bincount(places, minlength=n_places).astype(np.int32)
        return counts.reshape(*self._shape, depth)


def _windows(counts: Counts, n_cells: int) -> Counts:
    """Return the sums over squares of an odd number of cells around each cell."""
    half = n_cells // 2
    pads = (half + 1, half)
    padded = np.pad(counts, (pads, pads, (0, 0)))
    summed = padded.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    high = summed[n_cells:] - summed[:-n_cells]
    sums: Counts = high[:, n_cells:] - high[:, :-n_cells]
    return sums


def _median(counts: Counts) -> tuple[NDArray[np.float32], Counts]:
    """Return the level in which the median of each histogram lies, as a grey, and its pixels."""
    below = counts.cumsum(axis=-1, dtype=np.int32)
    total: Counts = below[..., -1]
    level = (2 * below < total[..., None]).sum(axis=-1, dtype=np.float32)
    return np.minimum(level + 0.5, LEVELS) * (256 // LEVELS), total


def _small(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (height, width) of the thumbnail; small pictures are not enlarged."""
    by = min(1.0, THUMBNAIL_SIDE / max(shape))
    return max(1, round(shape[0] * by)), max(1, round(shape[1] * by))


def _fills_its_frame(frame: Grey, seen: Mask) -> bool:
    """Whether an image without a border is seen, not a dark screen on which letters may stand."""
    return float((frame[seen] > LIT).mean()) > LEAST_LIT if seen.any() else False


def _echoes(frame: Grey) -> Mask:
    """Return only what is broader than letters: on a dark screen nothing else is shown."""
    side = max(9, max(frame.shape) // 40)
    broad = ndimage.grey_opening(frame, size=(side, side)) > LIT
    return dilate(broad, 2)
