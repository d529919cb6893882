"""The spectrum of a Doppler trace: a drawn baseline, and flow that fills it up to an envelope.

What sets it apart from tissue: the baseline has one grey level over half the screen and steps to
other levels within a few pixels; the power lies without a gap between the baseline and an envelope
that rises and falls, with black beyond it; and it ends where the baseline ends. Without a drawn
baseline it is not recognised: the skin line of a linear scan looks like the edge of a wall filter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from sonogate.read.traces.baselines import Line, level_lines
from sonogate.read.traces.segments import N_SEGMENTS, Floats

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: The ground of a spectrum is black, or dark with noise.
BRIGHTEST_GROUND = 80.0
#: Levels between a spectrum and its ground, to be seen at all.
LEAST_CONTRAST = 20.0
#: Rows at the baseline that the wall filter may have emptied, in parts of the picture's height.
WALL_FILTER = 1 / 50
#: Height of the envelope at its peaks, in parts of the picture's: of less, nothing is sure.
LEAST_ENVELOPE = 0.08
#: Part of the columns that carry flow at least: ejection through a valve takes a third of a beat.
LEAST_FLOWING = 0.25
#: Flow pulsates: between the columns' 10th and 90th percentile lies this part of the envelope.
LEAST_PULSE = 0.3
#: Lit part of what lies beyond the envelope on the side with most flow, and on the other one.
#: Tissue goes on behind a gap.
MOST_BEYOND, MOST_BEHIND = 0.32, 0.12
#: Part of the envelope's height within which the other side is looked at: beyond it may be the
#: B-mode picture.
NEAR = 0.4
#: Lit part of the columns beside the baseline's ends, at the heights where flow is.
MOST_BESIDE = 0.3
#: Least log2 of the ratio of lateral to axial difference energy. Columns of a spectrum are
#: estimates of their own; neighbouring B-mode lines share their beam and are alike.
LEAST_GRAIN = -2.3


@dataclass(frozen=True, slots=True)
class Side:
    """What lies on one side of the baseline, counted away from it; every second column."""

    lit: Mask  #: (row, column)
    envelope: NDArray[np.intp]  #: (column,) rows that the flow fills

    @property
    def flow(self) -> int:
        """Sum of the envelope."""
        return int(self.envelope.sum())

    def beyond(self, skipped: int, reach: int) -> float:
        """Return the lit part of what lies beyond the envelope, up to `reach` rows."""
        rows = np.arange(skipped, min(reach, len(self.lit)))[:, None]
        outside = rows > self.envelope + 3
        lit = self.lit[skipped:reach] & outside
        return float(lit.sum() / max(1, outside.sum()))


def find_spectrum(luma: Luma, parts: Floats) -> Box | None:
    """Find a spectrum.

    Args:
        luma: (height, width).
        parts: its segments (column, height, segment).

    Returns:
        Rows and columns of its rectangle, or None.
    """
    boxes = (_spectrum_on(luma, line) for line in level_lines(luma, parts))
    return next((box for box in boxes if box is not None), None)


def _spectrum_on(luma: Luma, line: Line) -> Box | None:
    """Return the rectangle of the spectrum on a baseline; None if it is some other line."""
    skipped = max(4, round(WALL_FILTER * len(luma)))
    smooth = uniform_filter(luma[:, line.left : line.right : 2].astype(np.float32), (5, 2))
    up, down = smooth[: line.top - 1][::-1], smooth[line.bottom + 1 :]
    threshold = _threshold(up, down, skipped, len(luma) // 8)
    if threshold is None:
        return None
    above, below = (_side(rows, threshold, skipped) for rows in (up, down))
    main, other = (above, below) if above.flow >= below.flow else (below, above)
    highest = int(np.percentile(np.maximum(main.envelope, other.envelope), 97))
    if highest < LEAST_ENVELOPE * len(luma) or not _is_flow(main, other, highest, skipped):
        return None
    filled = (
        slice(max(0, line.top - highest), line.top - skipped)
        if main is above
        else slice(line.bottom + skipped, line.bottom + highest)
    )
    grain = _grain(luma[filled, line.left : line.right])
    if grain < LEAST_GRAIN or _goes_on(luma, line, filled, threshold):
        return None
    top = line.top - _quiet(up, threshold, int(above.envelope.max()))
    bottom = line.bottom + _quiet(down, threshold, int(below.envelope.max()))
    return np.s_[max(0, top) : bottom, line.left : line.right]


def _threshold(up: Floats, down: Floats, skipped: int, near: int) -> float | None:
    """Return the level between ground and flow; None if there is no such difference.

    On one side of the baseline, or between the beats, the ground is seen with its noise.
    """
    sides = [rows[skipped:near:2, ::4] for rows in (up, down)]
    if min(side.size for side in sides) == 0:
        return None
    ground = min(float(np.median(side)) for side in sides)
    flow = max(float(np.percentile(side, 97)) for side in sides)
    if ground > BRIGHTEST_GROUND or flow - ground < LEAST_CONTRAST:
        return None
    return ground + max(12.0, 0.3 * (flow - ground))


def _side(rows: Floats, threshold: float, skipped: int) -> Side:
    """Follow each column from the baseline to its first gap of three rows."""
    lit = rows > threshold
    if len(lit) < skipped + 3:
        return Side(lit, np.zeros(rows.shape[1], dtype=np.intp))
    filled = lit.copy()
    filled[:skipped] = True
    gap = ~(filled[:-2] | filled[1:-1] | filled[2:])
    reached = np.where(gap.any(axis=0), gap.argmax(axis=0), len(lit))
    return Side(lit, np.where(reached <= skipped, 0, reached))


def _is_flow(main: Side, other: Side, highest: int, skipped: int) -> bool:
    """Whether one side pulsates, and next to nothing lies beyond its envelope and behind it."""
    low, high = np.percentile(main.envelope, (10, 90))
    pulsates = float(high - low) >= LEAST_PULSE * highest
    flowing = float((main.envelope > skipped).mean())
    reach = round(1.15 * highest) + 2
    return (
        pulsates
        and flowing >= LEAST_FLOWING
        and main.beyond(skipped, reach) <= MOST_BEYOND
        and other.beyond(skipped, round(NEAR * reach)) <= MOST_BEHIND
    )


def _grain(part: Luma) -> float:
    deep = part[:, : part.shape[1] // 2 * 2].astype(np.float32)
    lateral = float((np.diff(deep, axis=1) ** 2).mean())
    axial = float((np.diff(deep, axis=0) ** 2).mean())
    return float(np.log2((lateral + 1.0) / (axial + 1.0)))


def _goes_on(luma: Luma, line: Line, rows: slice, threshold: float) -> bool:
    """Whether as much is lit beside the baseline's ends as above it: then it is no strip."""
    width = max(4, luma.shape[1] // 40)
    near = luma.shape[1] // N_SEGMENTS
    inside = luma[rows, line.left : line.right]
    lit = float((inside > threshold).mean())
    left, right = max(0, line.left - near - width), line.right + near
    beside = [luma[rows, left : left + width], luma[rows, right : right + width]]
    shares = [float((part > threshold).mean()) for part in beside if part.shape[1] == width]
    return len(shares) == 2 and min(shares) > max(MOST_BESIDE, 0.5 * lit)


def _quiet(rows: Floats, threshold: float, filled: int) -> int:
    """Return how far a side goes: over the flow, then through rows with next to nothing lit."""
    busy = (rows[filled:] > threshold).mean(axis=1) > 0.12
    return filled + (int(busy.argmax()) if busy.any() else len(busy))
