"""Measurement marks: plus signs and crosses that a scanner sets at the ends of a distance."""

import numpy as np
from numpy.typing import NDArray

SHORTEST = 6


def is_cross(shape: NDArray[np.bool_], longest: int) -> bool:
    """Whether a connected shape, cut to its bounding box, is a plus sign or a diagonal cross.

    Args:
        shape: (height, width), True on the strokes.
        longest: longest side of a mark in pixels.
    """
    height, width = shape.shape
    if not (SHORTEST <= min(height, width) and max(height, width) <= longest):
        return False
    if max(height, width) > 1.35 * min(height, width) or shape.mean() > 0.62:
        return False
    return _is_plus(shape) or _is_diagonal(shape)


def _is_plus(shape: NDArray[np.bool_]) -> bool:
    height, width = shape.shape
    row = shape[height // 2 - 1 : height // 2 + 2].any(axis=0).mean()
    column = shape[:, width // 2 - 1 : width // 2 + 2].any(axis=1).mean()
    third_h, third_w = max(2, height // 3), max(2, width // 3)
    corners = (
        shape[:third_h, :third_w],
        shape[:third_h, -third_w:],
        shape[-third_h:, :third_w],
        shape[-third_h:, -third_w:],
    )
    return bool(row > 0.9 and column > 0.9 and max(c.mean() for c in corners) < 0.15)


def _is_diagonal(shape: NDArray[np.bool_]) -> bool:
    height, width = shape.shape
    side = max(height, width)
    rows = np.linspace(0, height - 1, side).round().astype(int)
    columns = np.linspace(0, width - 1, side).round().astype(int)
    falling, rising = shape[rows, columns], shape[rows, columns[::-1]]
    third_h, third_w = height // 3, width // 3
    middles = (
        shape[: max(1, third_h // 2), third_w:-third_w],
        shape[-max(1, third_h // 2) :, third_w:-third_w],
        shape[third_h:-third_h, : max(1, third_w // 2)],
        shape[third_h:-third_h, -max(1, third_w // 2) :],
    )
    empty = max(m.mean() if m.size else 1.0 for m in middles) < 0.2
    return bool(falling.mean() > 0.85 and rising.mean() > 0.85 and empty)
