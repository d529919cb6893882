"""Thin bright layers, as fascia and diaphragm, told from words by how few gaps they have.

A line that is looked at is longer than several letters and one sample thin. Words fill less of any
such line than a layer does: between strokes lies ground.
"""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

#: Samples to a line, and which share of them is lit at least.
LENGTH, LEAST_LIT = 32, 0.85
#: Rows by which a line falls with each column: level to 24 degrees, either way.
LEANS = tuple(n / 18 for n in range(-8, 9))


def find_layers(lit: Mask) -> Mask:
    """Return the middles of straight lines, at most 24 degrees from level, that are nearly all lit.

    Args:
        lit: (height, width) samples that are lighter than their ground.
    """
    found = np.zeros_like(lit)
    height, width = lit.shape
    if width <= LENGTH or not lit.any():
        return found
    aside = np.arange(width) - width // 2
    margin = width // 2
    padded = np.pad(lit, ((margin, margin), (0, 0)))
    for lean in LEANS:
        falls = np.rint(aside * lean).astype(np.intp)
        rows = np.arange(-falls.max(), height - falls.min())
        lines = padded[rows[:, None] + (falls + margin), np.arange(width)]
        summed = np.cumsum(lines, axis=1, dtype=np.int16)
        at, starts = np.nonzero(summed[:, LENGTH:] - summed[:, :-LENGTH] >= LEAST_LIT * LENGTH)
        columns = starts + LENGTH // 2
        middles = rows[at] + falls[columns]
        is_inside = (middles >= 0) & (middles < height)
        found[middles[is_inside], columns[is_inside]] = True
    return found
