"""Square-element morphology on masks, some ten times faster than scipy's general one."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]

EIGHT = np.ones((3, 3), dtype=np.bool_)


def label(mask: Mask) -> tuple[Labels, int]:
    """Number the 8-connected parts, from 1; 0 is the ground."""
    labels, n_parts = ndimage.label(mask, EIGHT)
    return np.asarray(labels, dtype=np.int32), int(n_parts)


def dilate(mask: Mask, rows: int, columns: int | None = None) -> Mask:
    """Grow by `rows` up and down and `columns` left and right (as many as rows if not given)."""
    across = _spread(mask, rows if columns is None else columns)
    return np.ascontiguousarray(_spread(np.ascontiguousarray(across.T), rows).T)


def erode(mask: Mask, rows: int, columns: int | None = None) -> Mask:
    """Shrink likewise; what lies beyond the border counts as inside."""
    return ~dilate(~mask, rows, columns)


def opened(mask: Mask, by: int) -> Mask:
    """Drop what is narrower than 2 * by + 1 pixels."""
    return dilate(erode(mask, by), by)


def closed(mask: Mask, rows: int, columns: int | None = None) -> Mask:
    """Close gaps up to twice `rows` high and `columns` wide."""
    return erode(dilate(mask, rows, columns), rows, columns)


def _spread(mask: Mask, by: int) -> Mask:
    """Spread along the last axis, doubling the reach at each step."""
    if by <= 0:
        return mask
    spread = mask.copy()
    reach = 0
    while reach < by:
        step = min(reach + 1, by - reach)
        grown = spread.copy()
        grown[:, step:] |= spread[:, :-step]
        grown[:, :-step] |= spread[:, step:]
        spread = grown
        reach += step
    return spread


def holes(mask: Mask) -> Mask:
    """Return the parts of the ground that the mask encloses."""
    labels, n_parts = ndimage.label(~mask)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    enclosed = np.ones(n_parts + 1, dtype=np.bool_)
    enclosed[0] = False
    enclosed[border] = False
    inside: Mask = enclosed[labels]
    return inside


def sizes(labels: Labels, n_parts: int) -> NDArray[np.intp]:
    """Return the pixels of each part; 0 for the ground."""
    counts = np.bincount(labels.ravel(), minlength=n_parts + 1)
    counts[0] = 0
    return counts


def without_small(mask: Mask, least: int) -> Mask:
    """Drop parts of fewer than `least` pixels."""
    if not mask.any():
        return mask
    labels, n_parts = label(mask)
    large: Mask = (sizes(labels, n_parts) >= least)[labels]
    return large


def touching(mask: Mask, seeds: Mask) -> Mask:
    """Return the parts of a mask that share a pixel with the seeds."""
    if not (mask & seeds).any():
        return np.zeros(mask.shape, dtype=np.bool_)
    labels, n_parts = label(mask)
    return select(labels, n_parts, np.unique(labels[seeds]))


def select(labels: Labels, n_parts: int, wanted: Iterable[int] | NDArray[np.integer]) -> Mask:
    """Return the parts with the given numbers."""
    chosen = np.zeros(n_parts + 1, dtype=np.bool_)
    chosen[np.asarray(wanted, dtype=np.intp)] = True
    chosen[0] = False
    found: Mask = chosen[labels]
    return found
