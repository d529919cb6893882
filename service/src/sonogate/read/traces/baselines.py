"""Where a spectrum may begin: level lines that are drawn in one grey or colour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.read.traces.segments import LEAST_RUN, N_SEGMENTS, Floats, longest_run

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: A drawn line: its spread of grey levels within a segment, compression included, and its least
#: level.
LEVEL_SPREAD, LEAST_LEVEL = 9.0, 48
#: Levels by which a line may differ along its course: it is drawn in one colour.
LEVEL_DRIFT = 24.0
#: What lies beside a line has another mean level, or is so much less even.
OTHER_LEVEL, UNEVEN = 24.0, 2.5
#: Thickest line in parts of the picture's height (then one in 160 pixels, at least 3).
THICKNESS = 160
#: A spectrum's baseline is not at the picture's edge, where a scan's skin line is.
LEAST_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """A level line as rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


def level_lines(luma: Luma, parts: Floats) -> list[Line]:
    """Return thin drawn lines of one grey level that run level across half the picture.

    Args:
        luma: (height, width).
        parts: its segments (column, height, segment).
    """
    height, thickest = len(luma), max(3, len(luma) // THICKNESS)
    mean = parts.mean(axis=0)
    spread = np.sqrt(((parts - mean) ** 2).mean(axis=0))
    level = (spread < LEVEL_SPREAD) & (mean > LEAST_LEVEL)
    for away in (thickest, -thickest):
        level &= _differs(mean, spread, away) | _differs(mean, spread, away + np.sign(away))
    margin = max(thickest + 2, round(LEAST_MARGIN * height))
    level[:margin] = level[-margin:] = False
    joined = level[:, 1:] & level[:, :-1] & (np.abs(np.diff(mean, axis=1)) < LEVEL_DRIFT / 2)
    first, last = longest_run(joined)
    rows = np.flatnonzero(last - first >= LEAST_RUN)
    step = luma.shape[1] // N_SEGMENTS
    lines = []
    for group in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        if not 0 < len(group) <= thickest:
            continue
        row = group[np.argmax((last - first)[group])]
        if np.ptp(mean[row, first[row] : last[row]]) <= LEVEL_DRIFT:
            ends = int(first[row]) * step, int(last[row]) * step
            lines.append(Line(int(group[0]), int(group[-1]) + 1, *ends))
    return lines


def _differs(mean: Floats, spread: Floats, away: int) -> Mask:
    other, unevenness = np.roll(mean, away, axis=0), np.roll(spread, away, axis=0)
    found: Mask = (np.abs(other - mean) > OTHER_LEVEL) | (unevenness > UNEVEN * spread + 6.0)
    return found
