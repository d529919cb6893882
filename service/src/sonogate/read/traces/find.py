"""Traces over time, spectra and M-mode, on screens that declare no regions: told by their content.

A trace is only believed on several independent signs, each with a physical reason, because a
B-mode image that is not graded is worse than a trace that is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.read.drawn.overlay import coloured
from sonogate.read.traces.m_mode import find_m_mode
from sonogate.read.traces.motion import find_motion
from sonogate.read.traces.segments import Floats, segmented
from sonogate.read.traces.spectrum import find_spectrum

Luma = NDArray[np.uint8]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: Recognisers by the reason's code, asked in this order.
FINDERS: Sequence[tuple[str, Callable[[Luma, Floats], Box | None]]] = (
    ("m_mode", find_m_mode),
    ("spectral_doppler", find_spectrum),
    ("m_mode", find_motion),
)
#: Part of a trace that may be coloured, by its baseline, its ECG and its marks; flow covers more.
MOST_COLOUR = 0.15


@dataclass(frozen=True, slots=True)
class Trace:
    """A spectrum or an M-mode trace."""

    code: str  #: spectral_doppler or m_mode
    box: Box  #: rows and columns of its rectangle

    def mask(self, shape: tuple[int, ...]) -> Mask:
        """Return (height, width), True on the trace."""
        found = np.zeros(shape, dtype=np.bool_)
        found[self.box] = True
        return found


def find_trace(luma: Luma, picture: Picture) -> Trace | None:
    """Find the trace on a screen, if there is one.

    Args:
        luma: (height, width) of one frame, with all that is drawn on it.
        picture: the same as (height, width) or (height, width, 3).
    """
    parts = segmented(luma)
    if parts is None:
        return None
    for code, find in FINDERS:
        box = find(luma, parts)
        if box is not None and coloured(picture[box]).mean() < MOST_COLOUR:
            return Trace(code, box)
    return None
