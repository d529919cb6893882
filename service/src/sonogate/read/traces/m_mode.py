"""An M-mode trace: one scan line drawn again and again, from left to right, over seconds.

What sets it apart from tissue: what stands still (chest wall, the layers above the pleura) becomes
level streaks over hundreds of columns, speckle included, while speckle of a B-mode image changes
within a beam's width; and what moves fast (blood, sliding lung) is new in every column, so that
its grain is finer from side to side than in depth, which no beam can do. Level layers of muscle
have the first sign in a few rows and never the second. Where echoes move or stand still down to
the bottom, `motion` looks on.
"""

import numpy as np
from numpy.typing import NDArray

from sonogate.read.traces.segments import LEAST_RUN, N_SEGMENTS, Floats, longest_run, over_depth

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: Level streaks take this part of the variation in a segment, and neighbours agree to this degree.
LEAST_SHARE, LEAST_AGREEMENT = 0.5, 0.7
#: Energy (grey levels squared) of depth detail below which a segment is empty.
LEAST_ENERGY = 9.0
#: Grey levels to which detail is cut, lest a single line outweigh the speckle around it.
STRONGEST = 24.0
#: Rows that stand still, at least, in parts of the trace and of the picture: two separate layers,
#: where a fascia or the edge of a title bar is one.
LEAST_STILL, LEAST_STILL_OF_PICTURE = 0.1, 0.07
#: A trace is at least this part of the picture high.
LEAST_HEIGHT = 0.15
#: Still rows further apart than this part of the picture's height are not of one trace.
GAP = 0.2
#: A tile renews itself if its lateral differences have 2 ** this times the energy of its axial
#: ones; tissue seen by a beam has less than 1.
RENEWED = 0.3
#: Part of the lit tiles that renew themselves, at least.
LEAST_RENEWED = 0.18
#: Part of a page that its paper takes, in one grey level; the rules of its tables stand still too.
PAPER_SHARE = 0.5
LIT = 12
N_TILES = 12


def find_m_mode(luma: Luma, parts: Floats) -> Box | None:
    """Find an M-mode trace.

    Args:
        luma: (height, width).
        parts: its segments (column, height, segment).

    Returns:
        Rows and columns of its rectangle, or None.
    """
    joined = _still(parts)
    first, last = longest_run(joined)
    long = last - first >= LEAST_RUN
    least = LEAST_STILL_OF_PICTURE * len(luma)
    if long.sum() < least:
        return None
    courses = np.bincount(first[long] * (N_SEGMENTS + 1) + last[long])
    start, stop = divmod(int(courses.argmax()), N_SEGMENTS + 1)
    still = joined[:, start : stop - 1].mean(axis=1) > 0.75
    rows = _together(np.flatnonzero(still), round(GAP * len(luma)))
    if len(rows) < least:
        return None
    step = luma.shape[1] // N_SEGMENTS
    columns = slice(start * step, stop * step)
    echoes = luma[:, columns]
    bottom = last_lit(echoes)
    height = bottom - int(rows[0])
    if height < LEAST_HEIGHT * len(luma) or len(rows) < LEAST_STILL * height:
        return None
    strip = echoes[rows[0] : bottom]
    if commonest(strip) > PAPER_SHARE or renewed(strip, len(luma)) < LEAST_RENEWED:
        return None
    return np.s_[int(rows[0]) : bottom, columns]


def _still(parts: Floats) -> Mask:
    """Return where depth detail goes on unchanged from one segment to the next.

    Returns:
        (height, N_SEGMENTS - 1).
    """
    height = parts.shape[1]
    detail = parts - over_depth(parts, max(9, height // 50 | 1))
    np.clip(detail, -STRONGEST, STRONGEST, out=detail)
    mean = detail.mean(axis=0)
    around = max(12, height // 24)
    energy = over_depth(np.einsum("chs,chs->hs", detail, detail) / len(detail), around)
    streak = over_depth(mean * mean, around)
    alike = over_depth(mean[:, 1:] * mean[:, :-1], around)
    is_streak = (streak > LEAST_SHARE * energy) & (energy > LEAST_ENERGY)
    agrees = alike > LEAST_AGREEMENT * np.sqrt(streak[:, 1:] * streak[:, :-1])
    joined: Mask = is_streak[:, 1:] & is_streak[:, :-1] & agrees
    return joined


def _together(rows: NDArray[np.intp], gap: int) -> NDArray[np.intp]:
    """Return the largest group of rows without a gap between them."""
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > gap) + 1)
    return max(groups, key=len)


def last_lit(echoes: Luma) -> int:
    """Return the row below the last one of which a fifth is lit."""
    rows = np.flatnonzero((echoes[:, ::2] > LIT).mean(axis=1) > 0.2)
    return int(rows[-1]) + 1 if len(rows) else 0


def commonest(echoes: Luma) -> float:
    """Return the part that the most frequent grey level takes."""
    return float(np.bincount(echoes.ravel(), minlength=256).max() / echoes.size)


def renewed(echoes: Luma, height: int) -> float:
    """Return the part of the lit tiles whose grain is finer from side to side than in depth."""
    deep = echoes.astype(np.float32)
    across = (deep[:-1, 1:] - deep[:-1, :-1]) ** 2
    along = (deep[1:, :-1] - deep[:-1, :-1]) ** 2
    tall, wide = max(12, height // 24), across.shape[1] // N_TILES
    n_rows = len(across) // tall
    if n_rows == 0 or wide == 0:
        return 0.0
    tiles = (n_rows, tall, N_TILES, wide)
    cut = np.s_[: n_rows * tall, : N_TILES * wide]
    lateral = across[cut].reshape(tiles).mean(axis=(1, 3))
    axial = along[cut].reshape(tiles).mean(axis=(1, 3))
    lit = lateral + axial > 8.0
    is_new = np.log2((lateral + 1.0) / (axial + 1.0)) > RENEWED
    return float((is_new & lit).sum() / max(1, lit.sum()))
