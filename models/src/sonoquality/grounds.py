"""What lies around a scan on a screen: black, or the greys of a viewer's frame."""

import numpy as np
from numpy.typing import NDArray

#: Grey levels above or below the ground that count as an echo.
ECHO_LEVEL = 2.0
#: A frame is brighter than this: darker ground of one grey may be depth without echoes.
FRAME_LEVEL = 24
#: Share of the whole border, and of its left and right side alone, that shows a frame's grey.
BORDER_SHARE, SIDE_SHARE = 0.6, 0.7

Small = NDArray[np.int16]


def without_ground(small: Small) -> NDArray[np.bool_]:
    """Return (height, width), True where a picture differs from the ground around its scan."""
    echo = np.ones(small.shape, dtype=np.bool_)
    for grey in grounds(small):
        echo &= np.abs(small - grey) > ECHO_LEVEL
    return echo


def grounds(small: Small) -> set[int]:
    """Return the greys around the scan: the border's one colour, a frame's several, else black.

    A frame has one grey left and right of the scan. Above and below it may have bars of other
    greys, with a title or a rule in them.
    """
    above, below, left, right = small[0], small[-1], small[:, 0], small[:, -1]
    border = np.concatenate([above, below, left, right])
    grey = _commonest(border)
    if _share(border, grey) > BORDER_SHARE:
        return {grey}
    grey = _commonest(left)
    if grey > FRAME_LEVEL and min(_share(left, grey), _share(right, grey)) > SIDE_SHARE:
        return {grey, _commonest(above), _commonest(below)}
    return {0}


def _commonest(greys: Small) -> int:
    return int(np.bincount(greys).argmax())


def _share(greys: Small, grey: int) -> float:
    return float(np.mean(np.abs(greys - grey) <= ECHO_LEVEL))
