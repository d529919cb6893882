"""From a decoded frame to what a model looks at: scan mask, working scale, windows.

One mask and one resampler serve data, training and gate alike (SCIENCE.md §6, common conventions).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from sonoquality.arrays import Floats, Luma, Mask, ShapeError, UnitImage, Windows
from sonoquality.grounds import without_ground

WINDOW = 224
STRIDE = 112
#: The scan area's longer side at working scale is at most this.
WORKING_SIDE = 448
#: A window counts when at least this share of it lies in the mask.
LEAST_MASK = 0.5
#: So few pixels beyond the last window are not worth another one.
SLACK = 16
HALF = 128
#: The mask is found on a copy reduced to about this longer side: structure, not pixels, decides.
MASK_SIDE = 224
#: A sector that covers less of the picture than this is taken for a remnant in a dark frame.
LEAST_AREA = 0.12
#: A flat area at the border brighter than this is a bar of the screen, not tissue.
FLAT_LEVEL = 24
#: A side of the picture is echo-filled when this share of it is.
FULL_SHARE = 0.8
#: A part beside the largest belongs to the scan if it is at least this large beside it.
LEAST_PART = 0.1
#: The dark lens under a curved probe's face is at most this deep, in parts of the sector's height.
LENS_DEPTH = 0.15


def luma_of(rgb: NDArray[np.uint8]) -> Luma:
    """Return the BT.601 luminance (height, width) of an RGB picture (height, width, 3).

    Raises:
        ShapeError: the picture is not (height, width, 3) uint8.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ShapeError(f"Expected (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}.")
    return np.asarray(Image.fromarray(rgb).convert("L"))


def scan_mask(luma: Luma, overlay: Mask | None = None) -> Mask:
    """Find where tissue echoes may be: the sector or rectangle, without border and letterbox.

    The background is black, or a viewer's frame (`grounds`). Its complement is cleaned, its largest
    part kept and made convex, since every scan format is convex but for the lens under a
    curved probe, which is cut off. Dark ground inside the sector (shadow, lost contact, depth
    without signal) stays in the mask: it is for the model to see. Where hardly anything shines,
    the whole rectangle is returned, so that the mask is never empty.

    Args:
        luma: (height, width) uint8 luminance.
        overlay: True on text, calipers and bars; such pixels are no evidence for the sector.

    Returns:
        (height, width) bool of the same size. Overlay inside the sector stays True.

    Raises:
        ShapeError: `luma` is not a two-dimensional uint8 array, or `overlay` differs in size.
    """
    _check(luma, overlay)
    factor = max(1, round(max(luma.shape) / MASK_SIDE))
    small = np.asarray(Image.fromarray(luma).reduce(factor), dtype=np.int16)
    echo = without_ground(small) & ~_bars(small)
    if overlay is not None:
        echo &= np.asarray(Image.fromarray(overlay.view(np.uint8) * 255).reduce(factor)) < 128
    sector = _largest_part(echo)
    if sector is None:
        return np.ones(luma.shape, dtype=np.bool_)
    whole = _full_width(sector)
    hull = _without_lens(_convex(sector), sector) if whole is None else whole
    return _enlarged(hull, factor, luma.shape)


def _check(luma: Luma, overlay: Mask | None) -> None:
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ShapeError(f"Expected (height, width) uint8, got {luma.shape} {luma.dtype}.")
    if overlay is not None and overlay.shape != luma.shape:
        raise ShapeError(f"The overlay mask is {overlay.shape}, the image {luma.shape}.")


def _bars(small: NDArray[np.int16]) -> Mask:
    """Find flat bright bars along the border: a title bar, or a name blanked out in white."""
    flat = small[1:-1, 1:-1] > FLAT_LEVEL
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = small[down : down + flat.shape[0], right : right + flat.shape[1]]
        flat &= beside == small[1:-1, 1:-1]
    flat = np.pad(flat, 1, mode="edge")
    labels, _ = ndimage.label(flat)
    bars = np.zeros_like(flat)
    for number, found in enumerate(ndimage.find_objects(labels), start=1):
        rows: slice = found[0]
        columns: slice = found[1]
        wide = columns.stop - columns.start >= 0.3 * flat.shape[1]
        thin = rows.stop - rows.start <= 0.2 * flat.shape[0]
        if wide and thin and (rows.start == 0 or rows.stop == flat.shape[0]):
            bars |= labels == number
    return ndimage.binary_dilation(bars, iterations=2)


def _full_width(part: Mask) -> Mask | None:
    """Return the rectangle of a picture cropped to a linear scan; None for other pictures.

    Depth without any echo belongs to such a scan. A straight lower edge right across is the edge
    of a letterbox, below which nothing belongs to it.
    """
    upper = slice(0, part.shape[0] // 2)
    if min(part[0].mean(), part[upper, 0].mean(), part[upper, -1].mean()) < FULL_SHARE:
        return None
    last = int(np.flatnonzero(part.any(axis=1))[-1])
    rectangle = np.ones_like(part)
    if part[max(last - 1, 0)].mean() > FULL_SHARE:
        rectangle[last + 1 :] = False
    return rectangle


def _largest_part(echo: Mask) -> Mask | None:
    """Return the largest connected part after a 3x3 majority vote; None if it is a remnant."""
    voted = ndimage.uniform_filter(echo.astype(np.float32), size=3, mode="nearest") > 0.5
    labels, n_parts = ndimage.label(voted)
    if n_parts == 0:
        return None
    part = _with_neighbours(labels)
    opened = ndimage.binary_opening(part, iterations=1)
    part = opened if opened.sum() > 0.5 * part.sum() else part
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    covered = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / echo.size
    return part if covered >= LEAST_AREA else None


def _with_neighbours(labels: NDArray[np.int32 | np.int64]) -> Mask:
    """Return the largest part with those beside it that lost lines (no contact) cut off from it."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    spans = [found[0] for found in ndimage.find_objects(labels)]
    rows: slice = spans[largest - 1]
    height = rows.stop - rows.start
    taken = [
        number
        for number, span in enumerate(spans, start=1)
        if sizes[number] >= LEAST_PART * sizes[largest]
        and min(span.stop, rows.stop) - max(span.start, rows.start) >= FULL_SHARE * height
    ]
    return np.asarray(np.isin(labels, taken), dtype=np.bool_)


def _convex(part: Mask) -> Mask:
    """Fill the convex hull of a part: its left side made convex, its right side made concave."""
    rows = np.flatnonzero(part.any(axis=1))
    left = part[rows].argmax(axis=1).astype(np.float64)
    right = part.shape[1] - 1 - part[rows, ::-1].argmax(axis=1).astype(np.float64)
    low, high = _lower_envelope(rows, left), -_lower_envelope(rows, -right)
    columns = np.arange(part.shape[1])
    hull = np.zeros_like(part)
    inside = (columns >= np.floor(low)[:, None]) & (columns <= np.ceil(high)[:, None])
    hull[rows[0] : rows[-1] + 1] = inside
    return hull


def _lower_envelope(x: NDArray[np.intp], y: Floats) -> Floats:
    """Return the greatest convex function below the points, at every integer from x[0] to x[-1]."""
    keep: list[int] = []
    for i in range(len(x)):
        while len(keep) > 1 and _turns_down(x, y, (keep[-2], keep[-1], i)):
            keep.pop()
        keep.append(i)
    envelope: Floats = np.interp(np.arange(x[0], x[-1] + 1), x[keep], y[keep])
    return envelope


def _turns_down(x: NDArray[np.intp], y: Floats, at: tuple[int, int, int]) -> bool:
    a, b, c = at
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))


def _without_lens(hull: Mask, sector: Mask) -> Mask:
    """Cut off the echo-free lens between a curved probe's face and the hull's flat top."""
    height = hull.shape[0]
    rows = np.flatnonzero(hull.any(axis=1))
    deepest = rows[0] + LENS_DEPTH * len(rows)
    face = np.where(sector.any(axis=0), sector.argmax(axis=0), height)
    cut: Mask = hull & (np.arange(height)[:, None] >= np.where(face <= deepest, face, 0)[None, :])
    return cut


def _enlarged(mask: Mask, factor: int, shape: tuple[int, ...]) -> Mask:
    full = np.repeat(np.repeat(mask, factor, axis=0), factor, axis=1)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingImage:
    """One frame's scan area at working scale, padded to hold at least one window."""

    image: UnitImage  #: (height, width) in [0, 1]
    mask: Mask  #: (height, width); False on padding, overlay and outside the scan
    box: tuple[int, int, int, int]  #: left, top, right, bottom of the scan area in the frame
    size: tuple[int, int]  #: (width, height) of the scan area at working scale, without padding


def working_image(luma: Luma, scan: Mask, overlay: Mask | None = None) -> WorkingImage:
    """Crop to the scan area and reduce its longer side to at most 448 px; never enlarge.

    Args:
        luma: (height, width) uint8.
        scan: (height, width), as `scan_mask` finds it.
        overlay: (height, width), True where text and marks hide the tissue.

    Raises:
        ShapeError: the arrays differ in size, or the scan mask is empty.
    """
    _check(luma, scan)
    if overlay is not None:
        _check(luma, overlay)
    rows, columns = np.flatnonzero(scan.any(axis=1)), np.flatnonzero(scan.any(axis=0))
    if len(rows) == 0:
        raise ShapeError("The scan mask is empty; pass one from scan_mask, which never is.")
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    area = (slice(box[1], box[3]), slice(box[0], box[2]))
    counts = scan[area] if overlay is None else scan[area] & ~overlay[area]
    size = _working_size(box[2] - box[0], box[3] - box[1])
    grey = Image.fromarray(np.ascontiguousarray(luma[area]))
    share = Image.fromarray(counts.astype(np.uint8) * 255)
    if size != grey.size:
        grey = grey.resize(size, Image.Resampling.LANCZOS)
        share = share.resize(size, Image.Resampling.BOX)
    pad = [(0, max(WINDOW - side, 0)) for side in (size[1], size[0])]
    image = np.pad(np.asarray(grey, dtype=np.float32) / np.float32(255.0), pad)
    mask = np.pad(np.asarray(share) >= HALF, pad)
    return WorkingImage(image=image, mask=mask, box=box, size=size)


def _working_size(width: int, height: int) -> tuple[int, int]:
    factor = min(1.0, WORKING_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSet:
    """Windows of one working image, ready for a model."""

    pixels: Windows  #: (window, 1, 224, 224) in [0, 1]
    masks: Windows  #: (window, 1, 224, 224), 1 in the mask, 0 outside
    corners: tuple[tuple[int, int], ...]  #: (top, left) of each window in the working image
    areas: Floats  #: (window,) share of each window in the mask
    enough: bool  #: at least one window lies half in the mask


def windows_of(working: WorkingImage) -> WindowSet:
    """Cut all windows of 224 px at about 112 px apart that lie half in the mask.

    Where none does (a small or narrow scan), the fullest one is taken and `enough` is False.
    """
    corners = [
        (top, left)
        for top in window_starts(working.mask.shape[0])
        for left in window_starts(working.mask.shape[1])
    ]
    cuts = [(slice(t, t + WINDOW), slice(x, x + WINDOW)) for t, x in corners]
    areas = np.array([working.mask[cut].mean() for cut in cuts])
    taken = np.flatnonzero(areas >= LEAST_MASK)
    enough = len(taken) > 0
    taken = taken if enough else np.array([int(areas.argmax())])
    return WindowSet(
        pixels=np.stack([working.image[cuts[i]] for i in taken])[:, None],
        masks=np.stack([working.mask[cuts[i]] for i in taken])[:, None].astype(np.float32),
        corners=tuple(corners[i] for i in taken),
        areas=areas[taken],
        enough=enough,
    )


def window_starts(length: int) -> list[int]:
    """Return where windows start along a side: evenly from edge to edge, about a stride apart."""
    room = length - WINDOW
    n_windows = 1 + max(0, -(-(room - SLACK) // STRIDE))
    if n_windows == 1:
        return [room // 2]
    return [round(i * room / (n_windows - 1)) for i in range(n_windows)]
