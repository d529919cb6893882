"""Where the scan lies: the echoes' sector, else the scanner's own black, else the declared image.

Many scanners store the ground of the sector one grey level above the screen around it. Where a
probe in air or a lost contact leaves next to no echo, that step still outlines the scan.
"""

import numpy as np
from numpy.typing import NDArray

from sonogate.read.drawn.morphology import holes, label, opened, sizes
from sonoquality.preprocess import scan_mask

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Echoes that cover less of the outlined ground than this do not tell how large the scan is.
LEAST_OF_GROUND = 0.75
#: Echoes that cover less of a declared image than this do not tell either.
LEAST_OF_DECLARED = 0.25
#: A ground is believed if it fills its rows and columns, as every scan format does.
LEAST_SOLIDITY = 0.94
LEAST_GROUND = 0.15
#: The deepest point may lie so far from the middle of the image, in parts of its width.
AXIS_TOLERANCE = 0.04
#: Parts of a whole fan that may be dropout: less is a rough edge, more leaves no side to go by.
LEAST_LOST, MOST_LOST = 0.08, 0.45


def find_sector(luma: Luma, no_evidence: Mask, *, declared: bool) -> Mask:
    """Find where tissue echoes may be.

    Args:
        luma: (height, width); for a cine the maximum over its frames.
        no_evidence: furniture, which tells nothing of the scan.
        declared: the header says that all of `luma` is a B-mode image.

    Returns:
        (height, width) mask, never empty.
    """
    mask: Mask = scan_mask(luma, no_evidence)
    ground = _ground(luma, no_evidence)
    if ground is not None and not mask.all():
        overlap = float((mask & ground).sum()) / max(1, int(mask.sum()))
        if overlap > 0.85 and mask.sum() < LEAST_OF_GROUND * ground.sum():
            return ground
    elif ground is not None and _is_mere_rectangle(luma, no_evidence):
        return ground
    if declared and mask.mean() < LEAST_OF_DECLARED:
        return np.ones(luma.shape, dtype=np.bool_)
    return completed_fan(mask) if declared else mask


def completed_fan(mask: Mask) -> Mask:
    """Give a fan back the side that lost its contact, by the symmetry of its other side.

    The deepest point of a fan lies on its axis. Where that is also the middle of the declared
    image, the fan is symmetric about it, and what one side lacks is dropout and not screen. A fan
    that is nearly whole already, or that lacks more than half, stays as it is.

    Args:
        mask: (height, width) echoes of one declared image.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return mask
    deepest = mask[rows[-1] - max(1, len(rows) // 100) + 1 : rows[-1] + 1]
    axis = float(np.flatnonzero(deepest.any(axis=0)).mean())
    width = mask.shape[1]
    if abs(axis - (width - 1) / 2) > AXIS_TOLERANCE * width:
        return mask
    whole: Mask = mask | mask[:, ::-1]
    is_partial = LEAST_LOST * whole.sum() < (whole & ~mask).sum() < MOST_LOST * whole.sum()
    return whole if is_partial else mask


def _is_mere_rectangle(luma: Luma, no_evidence: Mask) -> bool:
    return float(((luma > 16) & ~no_evidence).mean()) < 0.35


def _ground(luma: Luma, no_evidence: Mask) -> Mask | None:
    """Return the part that is lighter than the screen's black, if it has the form of a scan."""
    border = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
    black = int(np.bincount(border, minlength=256).argmax())
    if black > 32:
        return None
    lighter = (luma > black) & ~no_evidence
    labels, n_parts = label(opened(lighter, 1))
    if n_parts == 0:
        return None
    part: Mask = labels == int(sizes(labels, n_parts).argmax())
    part |= holes(part)
    if not LEAST_GROUND < part.mean() < 0.98 or _solidity(part) < LEAST_SOLIDITY:
        return None
    return part


def _solidity(part: Mask) -> float:
    """Return how well the part fills its rows and its columns, the worse of both."""
    return min(_filled_share(part), _filled_share(part.T))


def _filled_share(part: Mask) -> float:
    lines = part[part.any(axis=1)]
    first, last = lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    return float(lines.sum() / (last - first + 1).sum())
