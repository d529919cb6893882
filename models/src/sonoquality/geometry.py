"""Where beams run in a picture: depth along the ray and place across the beams.

A fan is recognised by its two straight, diverging sides, whose lines meet in the apex; anything
else counts as linear, with rays straight down. Only the mask is looked at, so that the geometry
does not change with the echoes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage

N_RAYS = 256  #: bins across the scan in which the skin line is looked for
MIN_SIDE_SLOPE = 0.08  #: columns per row; steeper sides than this are those of a linear probe
MAX_SIDE_RESIDUAL_PX = 3.0
MIN_SIDE_ROWS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanGeometry:
    """Beam coordinates of every pixel; values outside the scan mask are extrapolated."""

    depth: UnitImage  #: (h, w); 0 at the skin, 1 at the deepest point
    lateral: UnitImage  #: (h, w); 0 at the left edge of the scan, 1 at the right edge
    axial_row: UnitImage  #: (h, w); row part of the unit vector away from the probe
    axial_col: UnitImage  #: (h, w); column part of it
    pitch_px: UnitImage  #: (h, w); pixels that one unit of `lateral` spans here
    length_px: float  #: pixels from skin to the deepest point
    apex: tuple[float, float] | None  #: (row, column) where the sides meet; None for a linear scan


def geometry_of(scan_mask: Mask) -> ScanGeometry:
    """Estimate the geometry of a scan mask (h, w); the last few masks are remembered."""
    if scan_mask.ndim != 2 or not scan_mask.any():
        raise ValueError(
            f"Expected a (height, width) mask with a True pixel, got shape {scan_mask.shape}."
        )
    packed = np.packbits(scan_mask).tobytes()
    return _remembered(scan_mask.shape[0], scan_mask.shape[1], packed)


@lru_cache(maxsize=8)
def _remembered(height: int, width: int, packed: bytes) -> ScanGeometry:
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=height * width)
    mask = bits.reshape(height, width).astype(np.bool_)
    apex = _find_apex(mask)
    return _linear(mask) if apex is None else _fan(mask, apex)


def _find_apex(mask: Mask) -> tuple[float, float] | None:
    """Intersect the lines through the left and the right side; None if they are not a fan's."""
    rows = np.flatnonzero(mask.any(axis=1))
    left = np.argmax(mask[rows], axis=1).astype(float)
    right = mask.shape[1] - 1 - np.argmax(mask[rows][:, ::-1], axis=1).astype(float)
    left_line = _side(rows, left)
    right_line = _side(rows, mask.shape[1] - 1 - right)
    if left_line is None or right_line is None:
        return None
    left_slope, left_at = left_line
    right_slope, right_at = -right_line[0], mask.shape[1] - 1 - right_line[1]
    apex_row = (right_at - left_at) / (left_slope - right_slope)
    apex_col = left_slope * apex_row + left_at
    is_above = apex_row < rows[0] + 0.35 * len(rows) and apex_row > rows[0] - 4 * mask.shape[0]
    return (float(apex_row), float(apex_col)) if is_above else None


def _side(rows: NDArray[np.intp], edge: NDArray[np.float64]) -> tuple[float, float] | None:
    """Fit edge = slope * row + offset between skin arc and widest row; None if not straight."""
    widest = int(np.argmin(edge))
    if edge[widest] <= 1:  # cut by the picture's border: only rows before that show the side
        widest = int(np.argmax(edge <= 1))
    start, stop = int(0.35 * widest), int(0.95 * widest)
    if stop - start < max(MIN_SIDE_ROWS, 0.1 * len(rows)):
        return None
    x, y = rows[start:stop].astype(float), edge[start:stop]
    slope, offset = np.polyfit(x, y, 1)
    residual = float(np.median(np.abs(y - (slope * x + offset))))
    if slope > -MIN_SIDE_SLOPE or residual > MAX_SIDE_RESIDUAL_PX:
        return None
    return float(slope), float(offset)


def _linear(mask: Mask) -> ScanGeometry:
    height, width = mask.shape
    columns = np.flatnonzero(mask.any(axis=0))
    top = np.argmax(mask[:, columns], axis=0).astype(float)
    bottom = height - np.argmax(mask[::-1][:, columns], axis=0).astype(float)
    skin = np.interp(np.arange(width), columns, _steady(top))
    length = max(float(np.percentile(bottom - top, 98)), 1.0)
    row, col = np.mgrid[0:height, 0:width]
    span = max(float(columns[-1] - columns[0]), 1.0)
    return ScanGeometry(
        depth=((row - skin[None, :]) / length).astype(np.float32),
        lateral=((col - columns[0]) / span).astype(np.float32),
        axial_row=np.ones(mask.shape, np.float32),
        axial_col=np.zeros(mask.shape, np.float32),
        pitch_px=np.full(mask.shape, span, np.float32),
        length_px=length,
        apex=None,
    )


def _fan(mask: Mask, apex: tuple[float, float]) -> ScanGeometry:
    row, col = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    down, across = row - apex[0], col - apex[1]
    radius = np.maximum(np.hypot(down, across), 1e-3)
    angle = np.arctan2(across, down)
    low, high = np.percentile(angle[mask], [0.2, 99.8])
    span = max(float(high - low), 1e-3)
    lateral = (angle - low) / span
    ray = np.clip((lateral * N_RAYS).astype(int), 0, N_RAYS - 1)
    nearest = np.full(N_RAYS, np.inf)
    farthest = np.zeros(N_RAYS)
    np.minimum.at(nearest, ray[mask], radius[mask])
    np.maximum.at(farthest, ray[mask], radius[mask])
    seen = np.flatnonzero(np.isfinite(nearest))
    length = max(float(np.percentile(farthest[seen] - nearest[seen], 98)), 1.0)
    skin = np.interp(np.arange(N_RAYS), seen, _steady(nearest[seen]))
    return ScanGeometry(
        depth=((radius - skin[ray]) / length).astype(np.float32),
        lateral=lateral.astype(np.float32),
        axial_row=(down / radius).astype(np.float32),
        axial_col=(across / radius).astype(np.float32),
        pitch_px=(radius * span).astype(np.float32),
        length_px=length,
        apex=apex,
    )


def _steady(skin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take single outliers (text touching the scan, notches) out of a skin line."""
    size = min(15, len(skin))
    smoothed: NDArray[np.float64] = ndimage.median_filter(skin, size=size, mode="nearest")
    return smoothed
