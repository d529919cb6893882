"""Decoded pixels on their way from `read` to `score`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonogate.domain.instance import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle in pixels of the stored frame: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStack:
    """Frames of one instance, cropped to the B-mode region."""

    frames: NDArray[np.uint8]  #: (frame, height, width) luminance, full range, MONOCHROME1 inverted
    scan_mask: NDArray[np.bool_]  #: (height, width); True where tissue echoes may be
    overlay_mask: NDArray[np.bool_]  #: (height, width); True on text, calipers, bars, ECG, logos
    ink_mask: NDArray[np.bool_]  #: (height, width); its thin strokes, filled before scoring
    hidden_mask: NDArray[np.bool_]  #: (height, width); its broad parts, left out of the score
    frame_numbers: tuple[int, ...]  #: DICOM frame numbers, from 1, of the rows of `frames`
    n_total: int  #: frames in the instance
    region: Region  #: where the crop lies in the stored frame
    screen_side: int  #: longer side of the whole frame, in pixels of `frames`
    has_calipers: bool  #: measurement marks were found inside the scan
    header: Header
    doubt: str | None = None
    """What it may be in place of a B-mode image: the code of a reason for `not_applicable`."""
