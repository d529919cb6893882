"""Where the echoes of a picture go on from column to column, further than any beam reaches.

Speckle of a B-mode image changes within a beam's width; an M-mode trace draws one line of
scatterers again and again, and whatever it shows, still or moving, goes on over hundreds of
columns. So depth profiles are compared over a distance of several beams, let move a little up and
down: tissue is alike there in a few layers, an M-mode trace nearly everywhere that is no blood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.read.traces.segments import Floats, over_depth

Luma = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Upright blocks across a picture, and the distance in blocks over which profiles are compared:
#: a thirteenth of the width, some beams in every format.
N_BLOCKS, LAG = 64, 5
#: Columns looked at in each block.
N_COLUMNS = 4
#: Windows of depth in a picture, and parts of its height that echoes may move over the distance.
N_WINDOWS, MOST_MOVED = 24, 1 / 72
#: Grey levels to which detail is cut, lest a single line outweigh the speckle around it.
STRONGEST = 24.0
#: Energy (grey levels squared) of depth detail below which a window is empty.
LEAST_ENERGY = 9.0
#: Correlation from which on two profiles are the same line.
ALIKE = 0.75
#: What a window that is lit and not alike counts against one that is alike; an empty one.
UNLIKE, EMPTY = 1.5, 0.02


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rectangle of a picture in which most echoes go on."""

    rows: slice
    columns: slice
    n_alike: int  #: windows that are alike, of N_WINDOWS * (N_BLOCKS - LAG) on the whole picture
    purity: float  #: their part of the lit ones
    periodicity: float  #: highest correlation of its profiles with themselves, further down

    @property
    def evidence(self) -> float:
        """How much goes on, counted less where much does not."""
        return self.n_alike * self.purity**2


def find_stretch(luma: Luma) -> Stretch:
    """Find the rectangle in which most echoes go on.

    Args:
        luma: (height, width), at least N_BLOCKS pixels wide.
    """
    height, width = luma.shape
    tall, wide = max(12, height // N_WINDOWS), width // N_BLOCKS
    detail = _detail(luma, wide)
    alike, lit = _alike(detail, tall)
    top, bottom, left, right = _densest(alike, lit)
    part = np.s_[top:bottom, left:right]
    n_alike = int(alike[part].sum())
    return Stretch(
        rows=slice(top * tall, bottom * tall),
        columns=slice(left * wide, (right + LAG) * wide),
        n_alike=n_alike,
        purity=n_alike / max(1, int(lit[part].sum())),
        periodicity=_periodicity(detail[top * tall : bottom * tall, left : right + LAG]),
    )


def _detail(luma: Luma, wide: int) -> Floats:
    """Return (height, N_BLOCKS) depth detail: what a block has beyond its running mean."""
    blocks = luma[:, : wide * N_BLOCKS].reshape(len(luma), N_BLOCKS, wide)
    taken = [blocks[:, :, wide * i // N_COLUMNS] for i in range(N_COLUMNS)]
    profile = np.zeros(blocks.shape[:2], dtype=np.float32)
    for column in taken:
        profile += column
    profile /= N_COLUMNS
    detail = profile - over_depth(profile, max(9, len(luma) // 50 | 1))
    return np.asarray(np.clip(detail, -STRONGEST, STRONGEST, out=detail), dtype=np.float32)


def _alike(detail: Floats, tall: int) -> tuple[Mask, Mask]:
    """Return (window, block) where a profile goes on LAG blocks further, and where it is lit."""
    height = len(detail)
    most = max(3, round(MOST_MOVED * height))
    here = detail[:, :-LAG]
    there = np.pad(detail[:, LAG:], ((most, most), (0, 0)))
    sums = np.cumsum(np.pad(there * there, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    energy = _windows(here * here, tall)
    starts = np.arange(len(energy)) * tall
    best = np.full(energy.shape, -1.0, dtype=np.float32)
    for down in range(2 * most + 1):
        product = _windows(here * there[down : down + height], tall)
        other = sums[starts + down + tall] - sums[starts + down]
        np.maximum(best, product / np.sqrt(energy * other + 1.0), out=best)
    lit: Mask = energy > LEAST_ENERGY * tall
    alike: Mask = lit & (best > ALIKE)
    return alike, lit


def _periodicity(detail: Floats) -> float:
    """Return the highest autocorrelation over depth beyond its first zero; 0 if there is none."""
    height = len(detail)
    power = np.abs(np.fft.rfft(detail, 2 * height, axis=0)) ** 2
    shared = np.fft.irfft(power.mean(axis=1))[:height]
    again = shared / max(shared[0], 1e-6) * height / np.arange(height, 0, -1)
    first_zero = int((again < 0).argmax())
    later = again[first_zero : height // 2 + 1]
    return float(later.max()) if first_zero and len(later) else 0.0


def _windows(values: Floats, tall: int) -> Floats:
    n_windows = len(values) // tall
    parts = values[: n_windows * tall].reshape(n_windows, tall, -1)
    return np.asarray(parts.sum(axis=1), dtype=np.float32)


def _densest(alike: Mask, lit: Mask) -> tuple[int, int, int, int]:
    """Return the rectangle (top, bottom, left, right) with the largest sum of weights."""
    weight = np.where(lit, np.where(alike, 1.0, -UNLIKE), -EMPTY)
    down = np.cumsum(np.pad(weight, ((1, 0), (0, 0))), axis=0)
    top, bottom = np.triu_indices(len(down), 1)
    across = np.cumsum(np.pad(down[bottom] - down[top], ((0, 0), (1, 0))), axis=1)
    least = np.minimum.accumulate(across, axis=1)
    which, right = np.unravel_index(int((across - least).argmax()), across.shape)
    left = int(across[which, : right + 1].argmin())
    return int(top[which]), int(bottom[which]), left, int(right)
