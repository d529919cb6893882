"""From windows to one image: the area mean blended with the worst region, and the heat map."""

import numpy as np
from PIL import Image

from sonoquality.arrays import Floats, UnitImage
from sonoquality.preprocess import WINDOW, WindowSet, WorkingImage

#: The heat map is gathered on a grid this much coarser than the working image.
COARSE = 4


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
