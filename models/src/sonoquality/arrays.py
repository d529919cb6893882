"""The array types that travel between the steps of scoring, by meaning rather than by shape."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Luma: TypeAlias = NDArray[np.uint8]
"""(height, width) luminance of one frame, 0 black to 255 white."""

Frames: TypeAlias = NDArray[np.uint8]
"""(frame, height, width) luminance."""

UnitImage: TypeAlias = NDArray[np.float32]
"""(height, width) luminance scaled to [0, 1]."""

Mask: TypeAlias = NDArray[np.bool_]
"""(height, width), True where the name of the mask holds."""

Windows: TypeAlias = NDArray[np.float32]
"""(window, 1, side, side) cut from one image at working scale, in [0, 1]."""

Floats: TypeAlias = NDArray[np.float64]
"""Any array of plain numbers; the docstring beside it gives the axes."""

Tokens: TypeAlias = NDArray[np.float32]
"""(window, token, channel): what one block of an encoder says of each patch, row by row."""

Encode: TypeAlias = Callable[[Windows], Sequence[Tokens]]
"""Windows in, the raw tokens of each tapped block out, shallow to deep; no class token."""


class ShapeError(ValueError):
    """An array has not the axes its name promises."""
