"""The encoders by name: their sizes, shapes and taps.

`tinyusfm` is the network of TinyUSFM (MacDunno/TinyUSFM at 39b832a, `model/tinyusfm.py`); its taps
are those of the released metrics (SCIENCE 3.2), counted from 1. `sonovit` is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WINDOW = 224  #: side of a window in px


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderProfile:
    """Size and shape of one encoder."""

    name: str
    width: int  #: features of a token
    depth: int  #: blocks
    heads: int
    channels: int  #: of the picture: 1 or 3, three equal ones
    taps: tuple[int, ...]  #: blocks whose output is read, counted from 1
    patch: int = 16  #: px per token
    class_token: bool = False
    #: Channels after each halving of a convolutional stem; empty: one linear patch embedding.
    stem: tuple[int, ...] = ()
    mlp_ratio: int = 4

    @property
    def grid(self) -> int:
        """Tokens along a side of a window."""
        return WINDOW // self.patch

    @property
    def n_features(self) -> int:
        """Features of a window: those of all taps, one after another."""
        return self.width * len(self.taps)


TINYUSFM = EncoderProfile(
    name="tinyusfm",
    width=192,
    depth=12,
    heads=12,
    channels=3,
    taps=(3, 5, 7, 11),
    class_token=True,
)
SONOVIT = EncoderProfile(
    name="sonovit",
    width=128,
    depth=8,
    heads=4,
    channels=1,
    taps=(2, 4, 6, 8),
    stem=(24, 48, 96),
)
PROFILES: Mapping[str, EncoderProfile] = {each.name: each for each in (TINYUSFM, SONOVIT)}
