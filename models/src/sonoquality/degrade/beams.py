"""A picture as a table of beams: a row per pixel of depth, a column per beam, whatever the probe.

What a scanner does along and across its beams (grain of noise, side lobes) is done on the table. In
a linear scan the table is the picture. In a fan a column is an angle, so that a width across the
beams grows with depth, as in a real fan; a width given in pixels holds at the fan's middle radius.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.geometry import ScanGeometry, geometry_of

Coordinates = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamTable:
    """How to get from a picture (h, w) to its table (row, beam) and back."""

    shape: tuple[int, int]  #: of the table
    pixels: Coordinates | None  #: (2, row, beam) where each cell lies; None: no other grid
    cells: Coordinates | None  #: (2, h, w): row and beam of each pixel; None likewise
    beams_per_px: float  #: beams to the pixel, at the middle radius

    def to_beams(self, field: UnitImage) -> UnitImage:
        """Read a field (h, w) along the beams; 0 where a beam leaves the picture."""
        return field if self.pixels is None else _fetch(field, self.pixels, "constant")

    def to_pixels(self, table: UnitImage) -> UnitImage:
        """Scan-convert a table (row, beam) to (h, w)."""
        return table if self.cells is None else _fetch(table, self.cells, "nearest")


def _fetch(field: UnitImage, at: Coordinates, mode: Literal["constant", "nearest"]) -> UnitImage:
    return np.asarray(ndimage.map_coordinates(field, at, order=1, mode=mode), np.float32)


def beam_table(scan_mask: Mask) -> BeamTable:
    """Lay the table of a scan (h, w): a row per pixel of radius, a beam per pixel at the bottom.

    The last few masks are remembered.
    """
    height, width = scan_mask.shape
    return _remembered(height, width, np.packbits(scan_mask).tobytes())


@lru_cache(maxsize=8)
def _remembered(height: int, width: int, packed: bytes) -> BeamTable:
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=height * width)
    mask = bits.reshape(height, width).astype(np.bool_)
    geometry = geometry_of(mask)
    if geometry.apex is None:
        return BeamTable(shape=(height, width), pixels=None, cells=None, beams_per_px=1.0)
    return _fan(geometry, geometry.apex, mask)


def _fan(geometry: ScanGeometry, apex: tuple[float, float], scan_mask: Mask) -> BeamTable:
    row, col = np.mgrid[0 : scan_mask.shape[0], 0 : scan_mask.shape[1]].astype(np.float32)
    down, across = row - apex[0], col - apex[1]
    radius = np.maximum(np.hypot(down, across), np.float32(1e-3))
    near, far = float(radius[scan_mask].min()), float(radius[scan_mask].max())
    span = float(np.median(geometry.pitch_px[scan_mask] / radius[scan_mask]))
    low = float(np.median((np.arctan2(across, down) - geometry.lateral * span)[scan_mask]))
    shape = (round(far - near) + 1, max(2, round(far * span)))
    r = np.linspace(near, far, shape[0], dtype=np.float32)[:, None]
    angle = (low + span * np.linspace(0, 1, shape[1], dtype=np.float32))[None, :]
    return BeamTable(
        shape=shape,
        pixels=np.stack([apex[0] + r * np.cos(angle), apex[1] + r * np.sin(angle)]).astype(
            np.float32
        ),
        cells=np.stack([radius - np.float32(near), geometry.lateral * (shape[1] - 1)]),
        beams_per_px=far / float(np.median(radius[scan_mask])),
    )
