"""A scan as a small table: depth down the rows, beams across the columns, whatever the probe.

Faults of contact, shadow and penetration follow the beams; on this table they are columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonoquality.arrays import Luma, Mask, UnitImage
from sonoquality.geometry import geometry_of

N_DEPTHS, N_BEAMS = 40, 48
GRID_SIDE = 160  #: the table is filled from a copy reduced to about this longer side

#: A mask this shallow against its width and the frame below it holds only the ring of the probe.
BAND_TO_FRAME, BAND_TO_WIDTH = 0.4, 0.4

Box = tuple[int, int, int, int]  #: x, y, width, height in pixels


@dataclass(frozen=True, slots=True)
class BeamGrid:
    """Mean grey per cell, and how to get from cells back to pixels."""

    grey: UnitImage  #: (depth, beam) in [0, 1]; NaN where the scan has no pixels
    lit_share: UnitImage  #: (depth, beam) share of pixels above the echo level; NaN likewise
    cell: NDArray[np.intp]  #: (h, w) of the reduced frame: depth * N_BEAMS + beam; -1 outside
    factor: int  #: reduced to full pixels

    def box_of(self, cells: Mask) -> Box | None:
        """Return (x, y, width, height) in frame pixels around cells (depth, beam); None: none."""
        inside = self.cell >= 0
        marked = inside & cells.ravel()[np.where(inside, self.cell, 0)]
        rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
        if len(rows) == 0:
            return None
        x, y = int(columns[0]) * self.factor, int(rows[0]) * self.factor
        right, bottom = int(columns[-1] + 1) * self.factor, int(rows[-1] + 1) * self.factor
        return x, y, right - x, bottom - y


def beam_grid(frame: Luma, scan_mask: Mask, overlay_mask: Mask, echo_level: float) -> BeamGrid:
    """Average a frame (h, w) over cells of the beams; pixels under overlays are left out."""
    factor = max(1, round(max(frame.shape) / GRID_SIDE))
    grey = np.asarray(Image.fromarray(frame).reduce(factor), np.float32) / np.float32(255)
    scan = _reduced(scan_mask, factor)
    if not scan.any():
        scan = np.ones_like(scan)
    geometry = geometry_of(scan)
    depth = np.clip((geometry.depth * N_DEPTHS).astype(np.intp), 0, N_DEPTHS - 1)
    beam = np.clip((geometry.lateral * N_BEAMS).astype(np.intp), 0, N_BEAMS - 1)
    cell = np.where(scan, depth * N_BEAMS + beam, -1)
    seen = scan & ~_reduced(overlay_mask, factor)
    return BeamGrid(
        _cell_mean(cell[seen], grey[seen]),
        _cell_mean(cell[seen], (grey[seen] > echo_level).astype(np.float32)),
        cell,
        factor,
    )


def whole_depth(scan_mask: Mask) -> Mask:
    """Extend a mask that shows only the ring of the probe down to the frame's end.

    With the probe in air nothing shines but a band at the skin, and a mask drawn around what shines
    ends with it; the scan does not.
    """
    rows, columns = np.flatnonzero(scan_mask.any(axis=1)), np.flatnonzero(scan_mask.any(axis=0))
    if len(rows) == 0:
        return scan_mask
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    below = scan_mask.shape[0] - rows[0]
    if height >= BAND_TO_FRAME * below or height >= BAND_TO_WIDTH * width:
        return scan_mask
    return np.logical_or.accumulate(scan_mask, axis=0)


def _reduced(mask: Mask, factor: int) -> Mask:
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(grey.reduce(factor)) > 127


def _cell_mean(cell: NDArray[np.intp], value: UnitImage) -> UnitImage:
    count = np.bincount(cell, minlength=N_DEPTHS * N_BEAMS)
    total = np.bincount(cell, value, minlength=N_DEPTHS * N_BEAMS)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean.reshape(N_DEPTHS, N_BEAMS).astype(np.float32)
