"""A quick look at an encoder on the validation split, to choose between recipes.

Two windows of some validation images, as they are and under every operator at the mild levels 1 to
3, are scored by a manifold of the fitting images' clean windows. This chooses; what is claimed of
NRQ is measured on whole images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.arrays import Floats, Luma, Mask
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training.data import Row, read_index
from sonoquality.training.encoder.loop import fitting_rows
from sonoquality.training.encoder.windows import tokens_inside
from sonoquality.training.mixture import FitRecipe, fit_manifold
from sonoquality.trials.pictures import CLEAN

LEVELS = (1, 2, 3)
WINDOWS = 2  #: of each picture
OPERATORS = degrade.LADDER
FITTING = "fitting"
BATCH = 64

Progress = Callable[[str, int, int], None]
Keys = tuple[str, str, int]
Score = dict[Keys, float]
"""Badness by image, operator and level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Windows with what was done to them."""

    pixels: NDArray[np.uint8]  #: (n, 224, 224)
    inside: Mask  #: (n, 14, 14) tokens in the scan mask
    image: NDArray[np.str_]  #: (n,) SHA-256 of the image's file
    source: NDArray[np.str_]  #: (n,)
    group: NDArray[np.str_]  #: (n,)
    operator: NDArray[np.str_]  #: (n,) `none`, `fitting` (clean, of the training split) or a fault
    level: NDArray[np.int32]  #: (n,)

    def save(self, path: Path) -> None:
        """Keep the windows, since making them takes minutes."""
        columns = {key: getattr(self, key) for key in self.__dataclass_fields__}
        np.savez(path, allow_pickle=False, **columns)

    @classmethod
    def load(cls, path: Path) -> "Probe":
        """Read back what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(**{key: file[key] for key in cls.__dataclass_fields__})


Cut = tuple[Luma, Mask, Row, str, int]


def make(data: Path, progress: Progress, n_per_source: int = 10) -> Probe:
    """Cut the windows; validation images are spread over the groups of every source.

    Raises:
        ValueError: there are no validation images.
    """
    validation = [row for row in read_index(data) if row.split == "val" and not row.non_commercial]
    chosen = list(chain(*(_spread(part, n_per_source) for part in _by_source(validation))))
    if not chosen:
        raise ValueError(f"{data} lists no validation images that may be used; see INDEX.csv.")
    cuts: list[Cut] = []
    for place, row in enumerate(chosen):
        cuts += _ladder_cuts(row)
        progress("ladders", place + 1, len(chosen))
    fitting = fitting_rows(data)
    for place, row in enumerate(fitting):
        cuts += _cuts(row, *row.read(), FITTING)
        progress("clean", place + 1, len(fitting))
    return _joined(cuts)


def _by_source(rows: Sequence[Row]) -> list[list[Row]]:
    return [[r for r in rows if r.source == name] for name in sorted({r.source for r in rows})]


def _spread(rows: Sequence[Row], n: int) -> list[Row]:
    """Take one row of each group, then a second, until there are n."""
    seen: dict[str, int] = {}
    turns = []
    for row in sorted(rows, key=lambda row: row.sha256):
        seen[row.group] = seen.get(row.group, 0) + 1
        turns.append((seen[row.group], row.sha256, row))
    return [row for *_, row in sorted(turns, key=lambda turn: turn[:2])[:n]]


def _ladder_cuts(row: Row) -> list[Cut]:
    luma, mask = row.read()
    image = luma.astype(np.float32) / np.float32(255)
    found = _cuts(row, luma, mask)
    for name in OPERATORS:
        for level in LEVELS:
            spoilt = degrade.apply(name, image, mask, level, row.seed)
            found += _cuts(row, np.round(spoilt * 255).astype(np.uint8), mask, name, level)
    return found


def _cuts(row: Row, luma: Luma, mask: Mask, operator: str = CLEAN, level: int = 0) -> list[Cut]:
    windows = windows_of(working_image(luma, mask))
    count = len(windows.pixels)
    taken = np.unique(np.linspace(0, count - 1, min(WINDOWS, count)).round().astype(int))
    grey = np.round(windows.pixels[taken, 0] * 255).astype(np.uint8)
    return [
        (pixels, tokens_inside(inside), row, operator, level)
        for pixels, inside in zip(grey, windows.masks[taken, 0], strict=True)
    ]


def _joined(cuts: Sequence[Cut]) -> Probe:
    pixels, inside, row, operator, level = zip(*cuts, strict=True)
    return Probe(
        pixels=np.stack(pixels),
        inside=np.stack(inside),
        image=np.array([each.sha256 for each in row]),
        source=np.array([each.source for each in row]),
        group=np.array([each.group for each in row]),
        operator=np.array(operator),
        level=np.array(level, np.int32),
    )


@torch.no_grad()
def features(model: VisionTransformer, probe: Probe) -> Floats:
    """Return (n, tap, width): tokens inside the mask, averaged."""
    found = []
    for start in range(0, len(probe.pixels), BATCH):
        part = slice(start, start + BATCH)
        x = torch.from_numpy(probe.pixels[part]).float()[:, None] / 255
        weight = torch.from_numpy(probe.inside[part]).float().flatten(1)[:, None, :, None]
        taps = torch.stack(model.tokens((x - 0.5) / 0.5), dim=1)
        found.append((taps * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1))
    return torch.cat(found).double().numpy()


def badness_by_image(
    found: Floats, probe: Probe, recipe: FitRecipe, without: Sequence[str] = ()
) -> Score:
    """Return the mean badness (higher is worse) of each validation image as it was spoilt.

    Args:
        found: (n, feature).
        probe: of the same windows.
        recipe: of the manifold.
        without: sources that the manifold is not fitted on.
    """
    fitting = probe.operator == FITTING
    known = fitting & ~np.isin(probe.source, without)
    badness = fit_manifold(found[known], recipe).badness(found)
    parts: dict[Keys, list[float]] = {}
    for n in np.flatnonzero(~fitting):
        key = (str(probe.image[n]), str(probe.operator[n]), int(probe.level[n]))
        parts.setdefault(key, []).append(float(badness[n]))
    return {key: float(np.mean(values)) for key, values in parts.items()}
