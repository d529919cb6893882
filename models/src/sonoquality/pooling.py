"""From windows to one image: the area mean blended with the worst region, and the heat map."""

import numpy as np
from PIL import Image

from sonoquality.arrays import Floats, Mask, UnitImage
from sonoquality.preprocess import WINDOW, WindowSet, WorkingImage

#: The heat map is gathered on a grid this much coarser than the working image.
COARSE = 4
#: Less heat than this anywhere, and no region is the worst.
WARM = 0.5
#: Cells along the longer side on which the worst region is sought.
CELLS = 28

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def area_mean(values: Floats, areas: Floats) -> float:
    """Return the mean of the windows' values (n,), weighted by their area in the scan."""
    return float(values @ areas / areas.sum())


def worst_area_mean(values: Floats, areas: Floats, share: float) -> float:
    """Return the mean over the worst `share` of the area; the last window counts in part (CVaR)."""
    order = np.argsort(-values, kind="stable")
    wanted = share * areas.sum()
    before = np.concatenate([[0.0], np.cumsum(areas[order])[:-1]])
    taken = np.clip(wanted - before, 0.0, areas[order])
    return float(values[order] @ taken / wanted)


def heat_map(
    blocks: UnitImage, windows: WindowSet, working: WorkingImage, shape: tuple[int, int]
) -> UnitImage:
    """Spread per-block badness over the input frame, averaging where windows overlap.

    Args:
        blocks: (window, 14, 14) in [0, 1].
        windows: where each window lies in the working image.
        working: where the working image lies in the frame.
        shape: (height, width) of the frame.

    Returns:
        (height, width) float32 in [0, 1]; 0 outside the scan area.
    """
    side = WINDOW // COARSE
    fine = np.repeat(np.repeat(blocks, side // blocks.shape[1], 1), side // blocks.shape[2], 2)
    total = np.zeros([-(-length // COARSE) + 1 for length in working.image.shape], np.float32)
    count = np.zeros_like(total)
    for patch, (top, left) in zip(fine, windows.corners, strict=True):
        place = (
            slice(top // COARSE, top // COARSE + side),
            slice(left // COARSE, left // COARSE + side),
        )
        total[place] += patch
        count[place] += 1.0
    width, height = working.size
    mean = (total / np.maximum(count, 1.0))[: -(-height // COARSE), : -(-width // COARSE)]
    x0, y0, x1, y1 = working.box
    spread = Image.fromarray(mean).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
    heat = np.zeros(shape, dtype=np.float32)
    heat[y0:y1, x0:x1] = np.clip(np.asarray(spread), 0.0, 1.0)
    return heat


def worst_box(heat: UnitImage, mask: Mask) -> Box | None:
    """Return the rectangle that holds most heat beside the rest; None if nothing is warm.

    Cells in the mask count what they are above the scan's mean heat (`WARM` at most, so that a scan
    hot all over is its own worst region), below it against the rectangle: it is neither a single
    hot cell nor the whole scan by force.

    Args:
        heat: (height, width) in [0, 1].
        mask: same shape, True in the scan.
    """
    if not (heat[mask] > WARM).any():
        return None
    side = max(1, round(max(heat.shape) / CELLS))
    cells = _sums(np.where(mask, heat - min(WARM, float(heat[mask].mean())), 0.0), side)
    best: tuple[float, Box | None] = (0.0, None)
    for top in range(len(cells)):
        columns = np.cumsum(cells[top:], axis=0)
        for below, row in enumerate(columns, start=top + 1):
            gain, left, right = _richest(row)
            if gain > best[0]:
                box = (left * side, top * side, right * side, below * side)
                best = gain, (*box[:2], *map(min, box[2:], heat.shape[::-1]))
    return best[1]


def _sums(values: Floats, side: int) -> Floats:
    """Add up squares of `side` pixels; those at the far edges may be cut."""
    rows, columns = (np.arange(0, length, side) for length in values.shape)
    summed: Floats = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    return summed


def _richest(row: Floats) -> tuple[float, int, int]:
    """Return the largest sum of neighbours in a row, with where they begin and end."""
    before = np.concatenate([[0.0], np.cumsum(row)])
    lowest = np.minimum.accumulate(before[:-1])
    gains = before[1:] - lowest
    end = int(gains.argmax())
    start = int(before[: end + 1].argmin())
    return float(gains[end]), start, end + 1
