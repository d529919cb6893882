"""What counts as no difference: a gain of up to 3 dB, one px aside (SCIENCE.md §6c).

Taken out of two pictures before they are compared, where it explains nearly all that is different
between them; what a fault does besides is left as it is.
"""

import torch
from torch import Tensor
from torch.nn import functional

GAIN = 3.0 / 60.0  #: grey of 3 dB on a display of 60 dB
UNEVEN = 0.1  #: share of the difference's energy that gain or move may leave over
LEAST_STEP = 1.0 / 510.0  #: half a grey level of 8 bits: below it nothing differs
PLACES = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]

Pictures = tuple[Tensor, Tensor, Tensor]


def without_tolerated(a: Tensor, b: Tensor, mask: Tensor) -> Pictures:
    """Return two batches and their mask without what counts as no difference.

    Changing the two about changes nothing but their places. Gradients pass; what is taken out is
    estimated without.

    Args:
        a: (n, 1, height, width) in [0, 1], or (1, 1, height, width) for all.
        b: (n, 1, height, width).
        mask: (n, 1, height, width), 1 where the pictures count.
    """
    firsts = a.expand_as(b)
    found = [_alike(*(each[i : i + 1] for each in (firsts, b, mask))) for i in range(len(b))]
    if all(pair is None for pair in found):
        return a, b, mask
    kept = [
        pair or (firsts[i : i + 1], b[i : i + 1], mask[i : i + 1]) for i, pair in enumerate(found)
    ]
    first, second, where = (torch.cat(each) for each in zip(*kept, strict=True))
    return first, second, where


def _alike(a: Tensor, b: Tensor, mask: Tensor) -> Pictures | None:
    """Return a pair without gain and move, or None where there is nothing to take out."""
    place = _place(a, b, mask)
    moved = _moved(a, b, mask, place)
    grey = _grey(*moved)
    if place == (0, 0) and grey == 0.0:
        return None
    return *_levelled(moved[0], moved[1], grey), moved[2]


@torch.no_grad()
def _place(a: Tensor, b: Tensor, mask: Tensor) -> tuple[int, int]:
    """Return rows and columns that b lies beside a, at most one px, if that explains it all."""
    uneven = {}
    for place in PLACES:
        away = _differences(*_moved(a, b, mask, place))
        uneven[place] = float(away.var()) if len(away) > 1 else 0.0
    best = min(PLACES, key=lambda place: uneven[place])
    return best if uneven[best] < UNEVEN * uneven[0, 0] else (0, 0)


@torch.no_grad()
def _grey(a: Tensor, b: Tensor, mask: Tensor) -> float:
    """Return how much brighter b is than a, up to 3 dB; the less, the more else is different."""
    away = _differences(a, b, mask)
    if not len(away):
        return 0.0
    # Both medians: torch takes the lower of two, which would depend on the pictures' order.
    grey = (away.median() - (-away).median()) / 2.0
    if abs(float(grey)) < LEAST_STEP:
        return 0.0
    left = float((away - grey).square().mean() / away.square().mean())
    even = min(max(2.0 * (1.0 - left / UNEVEN), 0.0), 1.0)
    return even * min(max(float(grey), -GAIN), GAIN)


def _differences(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Return b - a where both count and neither is cut off at black or white."""
    darker, brighter = torch.minimum(a, b), torch.maximum(a, b)
    return (b - a)[(mask > 0) & (darker > 0) & (brighter < 1)]


def _levelled(a: Tensor, b: Tensor, grey: float) -> tuple[Tensor, Tensor]:
    """Brighten the darker picture; the other loses the black that this can't have any more.

    Two pictures of which one is the other with a gain, cut off at black and white, become equal.
    """
    if grey < 0:
        b, a = _levelled(b, a, -grey)
        return a, b
    return (a + grey).clamp_max(1.0), b.clamp_min(grey)


def _moved(a: Tensor, b: Tensor, mask: Tensor, place: tuple[int, int]) -> Pictures:
    """Return what both show when b lies at a place beside a, its last row and column repeated."""
    if place == (0, 0):
        return a, b, mask
    height, width = a.shape[2] - abs(place[0]), a.shape[3] - abs(place[1])
    aside = [(max(0, -step), max(0, step)) for step in place]

    def cut(x: Tensor, side: int) -> Tensor:
        top, left = aside[0][side], aside[1][side]
        shared = x[:, :, top : top + height, left : left + width]
        rim = (0, abs(place[1]), 0, abs(place[0]))
        return functional.pad(shared, rim, mode="replicate")

    return cut(a, 0), cut(b, 1), cut(mask, 0) * cut(mask, 1)
