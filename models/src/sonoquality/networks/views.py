"""Which windows two pictures are compared in: the whole one, and those at native resolution.

A view only gathers and averages pixels, so that gradients pass; both pictures are looked at through
the same views. The whole picture is reduced with its aspect kept, never enlarged: one that fits
into a window is compared at native resolution alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sonoquality.metrics.area import area_matrices
from sonoquality.networks.profiles import WINDOW
from sonoquality.preprocess import window_starts

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One window of 224 x 224 px; where the picture is smaller, it is mirrored around."""

    reduced: Size  #: (height, width) that the picture is reduced to first
    rows: Tensor  #: (224,) of the reduced picture
    columns: Tensor  #: (224,) of it
    inner: tuple[slice, slice]  #: part of the window that isn't mirrored
    outer: tuple[slice, slice]  #: the same pixels in the reduced picture

    @property
    def inside(self) -> Tensor:
        """(224, 224), 1 where the window shows the picture, 0 where it is mirrored."""
        inside = torch.zeros(WINDOW, WINDOW)
        inside[self.inner] = 1.0
        return inside


@lru_cache(maxsize=64)
def native_views(size: Size) -> tuple[View, ...]:
    """Return the windows that cover a picture (height, width), about 112 px apart."""
    starts = [window_starts(max(side, WINDOW)) for side in size]
    return tuple(_view(size, (top, left)) for top, left in product(*starts))


@lru_cache(maxsize=64)
def whole_views(size: Size) -> tuple[View, ...]:
    """Return the one view of a whole picture (height, width); none if it fits into a window."""
    if max(size) <= WINDOW:
        return ()
    height, width = (max(1, round(side * WINDOW / max(size))) for side in size)
    return (_view((height, width), (0, 0)),)


def _view(reduced: Size, corner: Size) -> View:
    (rows, row_inner, row_outer), (columns, column_inner, column_outer) = (
        _axis(side, start) for side, start in zip(reduced, corner, strict=True)
    )
    return View(
        reduced=reduced,
        rows=rows,
        columns=columns,
        inner=(row_inner, column_inner),
        outer=(row_outer, column_outer),
    )


def _axis(side: int, start: int) -> tuple[Tensor, slice, slice]:
    """Return the window's places along one side, and which of them are not mirrored."""
    lacking = max(0, WINDOW - side)
    before = lacking // 2
    places = np.pad(np.arange(side), (before, lacking - before), mode="reflect")
    length = min(side, WINDOW)
    return (
        torch.from_numpy(places[start : start + WINDOW].copy()),
        slice(before, before + length),
        slice(start, start + length),
    )


def look(pictures: Tensor, views: tuple[View, ...]) -> Tensor:
    """Return what the views show of pictures (n, 1, height, width): (n, view, 1, 224, 224)."""
    seen = []
    for view in views:
        reduced = _reduced(pictures, view.reduced)
        rows, columns = view.rows.to(pictures.device), view.columns.to(pictures.device)
        seen.append(reduced.index_select(2, rows).index_select(3, columns))
    return torch.stack(seen, dim=1)


def _reduced(pictures: Tensor, size: Size) -> Tensor:
    """Average (n, 1, height, width) over areas; the same matrices as OpenCV's area mode."""
    if tuple(pictures.shape[2:]) == size:
        return pictures
    matrices = area_matrices((pictures.shape[2], pictures.shape[3]), size)
    down, across = (torch.from_numpy(matrix).to(pictures) for matrix in matrices)
    return down @ pictures @ across.T


def token_shares(mask: Tensor, views: tuple[View, ...], patch: int) -> Tensor:
    """Return (n, view, token): the share of each patch that shows the picture within its mask.

    Args:
        mask: (n, 1, height, width), 1 where the picture counts.
        views: through which it is seen.
        patch: side of a token in px.
    """
    inside = torch.stack([view.inside for view in views]).to(mask)[None, :, None]
    shown = look(mask, views) * inside
    shares = functional.avg_pool2d(shown.flatten(0, 1), patch)
    return shares.reshape(*shown.shape[:2], -1)


def spread(values: Tensor, views: tuple[View, ...], size: Size) -> Tensor:
    """Lay maps of windows back onto the picture; where windows overlap, they are averaged.

    Args:
        values: (n, view, rows, columns) of a square grid over each window.
        views: that the values were seen through; all reduce the picture alike.
        size: (height, width) of the picture.

    Returns:
        (n, height, width); 0 on a rim that no window covers.
    """
    reduced = views[0].reduced
    total = values.new_zeros((len(values), *reduced))
    count = values.new_zeros(reduced)
    grown = functional.interpolate(values, size=(WINDOW, WINDOW), mode="nearest")
    for number, view in enumerate(views):
        total[:, *view.outer] += grown[:, number, *view.inner]
        count[view.outer] += 1.0
    mean = (total / count.clamp_min(1.0))[:, None]
    return functional.interpolate(mean, size=size, mode="nearest")[:, 0]
