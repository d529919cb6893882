"""Phantoms of so many windows, to time and weigh graphs with."""

from dataclasses import dataclass

from sonoquality.arrays import Luma, Mask
from sonoquality.golden import Phantom, inputs_of
from sonoquality.preprocess import WindowSet, windows_of, working_image

#: Width and height (px) of a rectangular scan by its number of windows.
SIDES = {1: (224, 224), 4: (336, 336), 6: (448, 336), 9: (448, 448)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One phantom and its windows."""

    luma: Luma
    mask: Mask
    windows: WindowSet


def shown(n_windows: int) -> Shown:
    """Draw the phantom of so many windows, one of `SIDES`."""
    width, height = SIDES[n_windows]
    luma, mask, _ = inputs_of(Phantom(name="timed", width=width, height=height))
    return Shown(luma=luma, mask=mask, windows=windows_of(working_image(luma, mask)))
