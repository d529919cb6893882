"""An M-mode trace by echoes that go on from line to line, whether they stand still or move.

What sets it apart from tissue: its echoes go on over hundreds of columns, speckle included, still
or moving (`coherence`); yet every column is a line of its own with noise of its own, so that it is
never as smooth from side to side as an image that is smeared; and its lines do not repeat in depth
as those of interference and of a ringing probe do. Where only a part goes on, what moves too fast
to be followed (blood, sliding lung) must be new in every column: finer from side to side than in
depth, which no beam can draw.
"""

import numpy as np
from numpy.typing import NDArray

from sonogate.read.traces.coherence import Stretch, find_stretch
from sonogate.read.traces.m_mode import (
    LEAST_HEIGHT,
    LEAST_RENEWED,
    N_TILES,
    PAPER_SHARE,
    commonest,
    last_lit,
    renewed,
)
from sonogate.read.traces.segments import Floats

Luma = NDArray[np.uint8]
Box = tuple[slice, slice]

#: Evidence of `coherence` to ask further, and so much that no blood is asked for. Real tissue has
#: up to 90: layers of a chest wall, enlarged.
LEAST_EVIDENCE, PLENTY = 60.0, 140.0
#: Part of the lit windows that go on, in the rectangle where they do.
LEAST_PURITY = 0.75
#: Correlation of the lines with themselves further down: of random layers up to 0.6.
MOST_PERIODIC = 0.62
#: Energy of differences between neighbouring columns, in parts of that over four columns: 1/16 in
#: a smooth image, up to 0.093 in smeared ones; more than this where each line, stretched to
#: some columns, has its own noise.
LEAST_FRESH, FAR = 0.105, 4


def find_motion(luma: Luma, _parts: Floats) -> Box | None:
    """Find an M-mode trace by what goes on in it.

    Args:
        luma: (height, width).

    Returns:
        Rows and columns of its rectangle, or None.
    """
    stretch = find_stretch(luma)
    if not _goes_on(stretch) or _fresh(luma[stretch.rows, stretch.columns]) < LEAST_FRESH:
        return None
    echoes = luma[:, stretch.columns]
    top, bottom = stretch.rows.start, max(stretch.rows.stop, last_lit(echoes))
    strip = echoes[top:bottom]
    if len(strip) < LEAST_HEIGHT * len(luma) or commonest(strip) > PAPER_SHARE:
        return None
    if stretch.evidence < PLENTY and renewed(strip, len(luma)) < LEAST_RENEWED:
        return None
    return np.s_[top:bottom, stretch.columns]


def _goes_on(stretch: Stretch) -> bool:
    return (
        stretch.evidence >= LEAST_EVIDENCE
        and stretch.purity >= LEAST_PURITY
        and stretch.periodicity <= MOST_PERIODIC
    )


def _fresh(part: Luma) -> float:
    """Return the median over tiles of how much of the lateral change is that of one column."""
    deep = part[::2].astype(np.float32)
    near = (deep[:, FAR:] - deep[:, FAR - 1 : -1]) ** 2
    far = (deep[:, FAR:] - deep[:, :-FAR]) ** 2
    tall, wide = 6, near.shape[1] // N_TILES
    n_rows = len(near) // tall
    if n_rows == 0 or wide == 0:
        return 0.0
    tiles, cut = (n_rows, tall, N_TILES, wide), np.s_[: n_rows * tall, : N_TILES * wide]
    changes = [change[cut].reshape(tiles).mean(axis=(1, 3)) for change in (near, far)]
    return float(np.median(changes[0] / (changes[1] + 1.0)))
