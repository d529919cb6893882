"""A picture in upright segments: what runs level across many of them is no tissue."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

#: Segments across a picture, and how many in a row a trace covers at least: 7 of 16.
N_SEGMENTS = 16
LEAST_RUN = 7
#: Narrower segments hold too few independent columns to tell a level line from speckle.
LEAST_SEGMENT = 12
#: Columns looked at in each; further apart they are also more independent.
N_COLUMNS = 12


def segmented(luma: NDArray[np.uint8]) -> Floats | None:
    """Return a few columns of each segment; None if the picture is too narrow.

    Args:
        luma: (height, width).

    Returns:
        (column, height, segment): sums over columns are then fast.
    """
    height, width = luma.shape
    step = width // N_SEGMENTS
    if step < LEAST_SEGMENT:
        return None
    parts = luma[:, : step * N_SEGMENTS].reshape(height, N_SEGMENTS, step)
    apart = max(2, step // N_COLUMNS)
    return np.ascontiguousarray(parts[:, :, ::apart].transpose(2, 0, 1), dtype=np.float32)


def longest_run(joined: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each row its longest run of joined segments, as [first, last) segments.

    Args:
        joined: (height, N_SEGMENTS - 1), True where a segment goes on in the next one.
    """
    run = np.zeros(len(joined), dtype=np.intp)
    best, last = run.copy(), run.copy()
    for number, column in enumerate(joined.T):
        run = np.where(column, run + 1, 0)
        longer = run > best
        best = np.where(longer, run, best)
        last = np.where(longer, number + 2, last)
    return np.where(best > 0, last - best - 1, 0), last


def over_depth(values: Floats, rows: int) -> Floats:
    """Return running means over so many rows; the depth is the last axis but one."""
    before, after = rows // 2, rows - rows // 2
    padding = [(0, 0)] * (values.ndim - 2) + [(before + 1, after - 1), (0, 0)]
    sums = np.cumsum(np.pad(values, padding, mode="edge"), axis=-2, dtype=np.float64)
    return np.asarray((sums[..., rows:, :] - sums[..., :-rows, :]) / rows, dtype=np.float32)
