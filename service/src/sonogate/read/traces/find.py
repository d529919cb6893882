"""Traces over time, spectra and M-mode, on screens that declare no regions: told by their content.

The rules believe a trace on several independent signs only, each with a physical reason, because a
B-mode image that is not graded is worse than a trace that is. What they miss a small net may find;
where it is only half sure the picture is graded and the verdict says what it may be.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.errors import ModelError
from sonogate.read.drawn.overlay import coloured
from sonogate.read.traces.m_mode import find_m_mode
from sonogate.read.traces.motion import find_motion
from sonogate.read.traces.segments import Floats, segmented
from sonogate.read.traces.spectrum import find_spectrum
from sonoquality.card import ModelCardError
from sonoquality.traces import TraceNet
from sonoquality.zoo import default_zoo

Luma = NDArray[np.uint8]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

#: Rules by the reason's code, asked in this order.
FINDERS: Sequence[tuple[str, Callable[[Luma, Floats], Box | None]]] = (
    ("m_mode", find_m_mode),
    ("spectral_doppler", find_spectrum),
    ("m_mode", find_motion),
)
#: The net that is asked last, in the zoo that ships.
NET = "traces/1.0.0"
#: Part of a trace that may be coloured, by its baseline, its ECG and its marks; flow covers more.
MOST_COLOUR = 0.15
#: Unless it is tinted: so much of what is coloured has hues so near one another, of 256 around.
ONE_HUE, HUES_ALIKE = 0.9, 32


@dataclass(frozen=True, slots=True)
class Trace:
    """A spectrum or an M-mode trace."""

    code: str  #: spectral_doppler or m_mode
    box: Box  #: rows and columns of its rectangle
    sure: bool = True  #: else it may as well be tissue: the picture is graded, with the doubt told

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
    for trace in _told(luma, parts):
        if not _is_flow(picture[trace.box]):
            return trace
    return None


@cache
def trace_net() -> TraceNet:
    """Return the net that ships, loaded once in a process.

    Raises:
        ModelError: its entry of the zoo is not as it was released.
    """
    try:
        return TraceNet.load(default_zoo() / NET)
    except ModelCardError as error:
        raise ModelError(f"The net that tells traces: {error}") from error


def _told(luma: Luma, parts: Floats) -> Iterator[Trace]:
    for code, find in FINDERS:
        box = find(luma, parts)
        if box is not None:
            yield Trace(code, box)
    found = trace_net().told(luma)
    if found is not None:
        yield Trace(found.label, found.box, found.believed)


def _is_flow(part: Picture) -> bool:
    """Whether much of a picture is coloured in more than one hue."""
    saturated = coloured(part)
    if saturated.mean() < MOST_COLOUR:
        return False
    hues = np.asarray(Image.fromarray(part).convert("HSV"))[..., 0][saturated]
    around = np.cumsum(np.tile(np.bincount(hues, minlength=256), 2))
    most = int((around[HUES_ALIKE : HUES_ALIKE + 256] - around[:256]).max())
    return most < ONE_HUE * len(hues)
