"""A quick look at an encoder on the validation split, to choose between recipes.

Windows of some validation images, as they are and under every operator at the mild levels 1 to 3,
are scored by a manifold of the fitting images' clean windows. Printed: mean AUROC per level, apart
for operators that the encoder was trained on and for those it never saw, and the share of steps in
the right order. This chooses; what is claimed is measured by `evaluate`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.agreement import auroc
from sonoquality.arrays import Floats, Luma, Mask
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training.data import Row, read_index
from sonoquality.training.encoder.loop import fitting_rows
from sonoquality.training.encoder.windows import tokens_inside
from sonoquality.training.held_out import HELD_OUT
from sonoquality.training.mixture import FitRecipe, fit_manifold

LEVELS = (1, 2, 3)
MILD = ("G-", "G+", "TGC")  #: hardly matter at level 1 (SCIENCE 7.4): not in its mean
OPERATORS = tuple(name for name in degrade.OPERATORS if name != "ANN")
CLEAN, FITTING = "clean", "fitting"
BATCH = 64

Progress = Callable[[str, int, int], None]
Score = dict[tuple[int, str, int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Windows with what was done to them."""

    pixels: NDArray[np.uint8]  #: (n, 224, 224)
    inside: Mask  #: (n, 14, 14) tokens in the scan mask
    image: NDArray[np.int32]  #: (n,) which image
    operator: NDArray[np.str_]  #: (n,) `clean`, `fitting` (clean, of the training split) or a fault
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


Cut = tuple[Luma, Mask, int, str, int]


def make(data: Path, progress: Progress, n_per_source: int = 6) -> Probe:
    """Cut the windows; validation images are spread over the groups of every source."""
    rows = read_index(data)
    validation = [row for row in rows if row.split == "val" and not row.non_commercial]
    chosen = list(chain(*(_spread(part, n_per_source) for part in _by_source(validation))))
    others = [row for row in validation if row not in chosen]
    cuts: list[Cut] = []
    for place, row in enumerate(chosen):
        cuts += _ladder_cuts(row, place)
        progress("ladders", place + 1, len(chosen))
    for place, row in enumerate(others, start=len(chosen)):
        cuts += _cuts(*row.read(), (place, CLEAN, 0))
    fitting = fitting_rows(data)
    for place, row in enumerate(fitting):
        cuts += _cuts(*row.read(), (place, FITTING, 0))
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


def _ladder_cuts(row: Row, place: int) -> list[Cut]:
    luma, mask = row.read()
    image = luma.astype(np.float32) / np.float32(255)
    found = _cuts(luma, mask, (place, CLEAN, 0))
    for name in OPERATORS:
        for level in LEVELS:
            spoilt = degrade.apply(name, image, mask, level, row.seed)
            found += _cuts(np.round(spoilt * 255).astype(np.uint8), mask, (place, name, level))
    return found


def _cuts(luma: Luma, mask: Mask, label: tuple[int, str, int], n: int = 2) -> list[Cut]:
    windows = windows_of(working_image(luma, mask))
    count = len(windows.pixels)
    taken = np.unique(np.linspace(0, count - 1, min(n, count)).round().astype(int))
    grey = np.round(windows.pixels[taken, 0] * 255).astype(np.uint8)
    return [
        (pixels, tokens_inside(inside), *label)
        for pixels, inside in zip(grey, windows.masks[taken, 0], strict=True)
    ]


def _joined(cuts: Sequence[Cut]) -> Probe:
    pixels, inside, image, operator, level = zip(*cuts, strict=True)
    return Probe(
        pixels=np.stack(pixels),
        inside=np.stack(inside),
        image=np.array(image, np.int32),
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


def badness_by_image(found: Floats, probe: Probe, recipe: FitRecipe) -> Score:
    """Return the mean badness (higher is worse) of each validation image as it was spoilt.

    Args:
        found: (n, feature).
        probe: of the same windows.
        recipe: of the manifold.
    """
    fitting = probe.operator == FITTING
    badness = fit_manifold(found[fitting], recipe).badness(found)
    parts: dict[tuple[int, str, int], list[float]] = {}
    labels = zip(probe.image, probe.operator, probe.level, fitting, badness, strict=True)
    for image, operator, level, fits, value in labels:
        if not fits:
            parts.setdefault((int(image), str(operator), int(level)), []).append(float(value))
    return {key: float(np.mean(values)) for key, values in parts.items()}


def table(score: Score) -> Mapping[str, Mapping[str, float]]:
    """Return by operator: AUROC of each level against all clean images, and steps in order."""
    clean = np.array([value for (_, name, _), value in score.items() if name == CLEAN])
    found = {}
    for operator in OPERATORS:
        images = sorted({image for image, name, _ in score if name == operator})
        rungs = np.array(
            [[score[i, CLEAN, 0], *(score[i, operator, level] for level in LEVELS)] for i in images]
        )
        levels = {f"level {k}": auroc(-rungs[:, k], -clean) for k in LEVELS}
        found[operator] = {**levels, "in order": float(np.mean(np.diff(rungs, axis=1) > 0))}
    return found


def summary(rows: Mapping[str, Mapping[str, float]]) -> Mapping[str, Mapping[str, float]]:
    """Return the means over trained, held-out and all operators."""
    groups = {
        "trained": [name for name in OPERATORS if name not in HELD_OUT],
        "held out": list(HELD_OUT),
        "all": list(OPERATORS),
    }
    return {group: _mean(rows, names) for group, names in groups.items()}


def _mean(rows: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> dict[str, float]:
    found = {}
    for column in next(iter(rows.values())):
        counted = [name for name in names if column != "level 1" or name not in MILD]
        found[column] = float(np.mean([rows[name][column] for name in counted]))
    return found
