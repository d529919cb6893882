"""What a step of MedQM-I is shown: copies of a few images, with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sonoquality.arrays import Floats
from sonoquality.labelling.spoiled import Copy
from sonoquality.training.medqm.features import Features
from sonoquality.training.medqm.priors import ATTRIBUTE_OF, NAMES, TARGETS, UNKNOWN, VIEWS

STEP = 0.8  #: severity of one level of a ladder: the fifth is 4
ORGAN_ROWS: Mapping[str, int] = {name: row for row, name in enumerate(TARGETS)}
VIEW_ROWS: Mapping[str, int] = {name: row for row, name in enumerate(VIEWS)}
STANDARD = {"fetal_head": "standard plane"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One image with its copies."""

    name: str
    organ: str
    features: Features
    copies: Sequence[Copy]
    labels: Floats | None  #: (copy,) in [0, 1]; None where too few could judge
    levels: Floats  #: (copy, attribute), 0 to 4; -1 where nothing is known
    ranks: Floats | None = None  #: (copy,) of the labels, in [0, 1]; where a run learns by them


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Copies, ready for the network."""

    cells: Tensor  #: (n, window, 49, tap * width)
    counts: Tensor  #: (n, window, 49)
    textures: Tensor  #: (n, window, 38)
    organs: Tensor  #: (n,)
    views: Tensor  #: (n,)
    labels: Tensor  #: (n,); NaN where there is none
    ranks: Tensor  #: (n,) of the labels; NaN where there is none
    levels: Tensor  #: (n, attribute)
    images: Tensor  #: (n,)


def levels_of(copies: Sequence[Copy]) -> Floats:
    """Return (copy, attribute) severities as the ladder knows them; -1 for a scan of speckle."""
    found = np.zeros((len(copies), len(NAMES)))
    for row, copy in zip(found, copies, strict=True):
        if copy.kind == "blank":
            row[:] = -1
        for operator, level in copy.faults.items():
            if operator in ATTRIBUTE_OF:
                column = NAMES.index(ATTRIBUTE_OF[operator])
                row[column] = max(row[column], STEP * level)
    return found


def drawn(
    examples: Sequence[Example],
    rng: np.random.Generator,
    size: tuple[int, int, int],
    unknown_organ: float,
) -> Batch:
    """Draw a batch.

    Args:
        examples: to draw from.
        rng: draws.
        size: images, copies of each, windows of each copy.
        unknown_organ: share of images whose organ is not told.
    """
    n_images, n_copies, n_windows = size
    chosen = rng.choice(len(examples), n_images, replace=False)
    rows = []
    for number in chosen:
        example = examples[int(number)]
        told = rng.random() >= unknown_organ
        copies = rng.choice(len(example.copies), n_copies, replace=False)
        rows += [(example, int(copy), told) for copy in copies]
    return _batch(rows, n_windows, rng)


def all_copies(example: Example, *, told: bool) -> Batch:
    """Return every copy of an image with all its windows."""
    n_windows = int(np.diff(example.features.starts).max())
    rows = [(example, copy, told) for copy in range(len(example.copies))]
    return _batch(rows, n_windows, None)


def _batch(
    rows: Sequence[tuple[Example, int, bool]], n_windows: int, rng: np.random.Generator | None
) -> Batch:
    first = rows[0][0].features
    cells = np.zeros((len(rows), n_windows, *first.cells.shape[1:]), np.float32)
    counts = np.zeros((len(rows), n_windows, first.counts.shape[1]), np.float32)
    textures = np.zeros((len(rows), n_windows, first.dct.shape[1]), np.float32)
    names: dict[str, int] = {}
    for place, (example, copy, _) in enumerate(rows):
        found = example.features
        windows = np.arange(found.starts[copy], found.starts[copy + 1])
        if len(windows) > n_windows and rng is not None:
            windows = np.sort(rng.choice(windows, n_windows, replace=False))
        n = len(windows)
        cells[place, :n] = found.cells[windows]
        counts[place, :n] = found.counts[windows]
        textures[place, :n] = found.dct[windows]
        textures[place, n:] = found.dct[windows[0]]  # not counted, but the norm sees it
        names.setdefault(example.name, len(names))
    return Batch(
        cells=torch.from_numpy(cells),
        counts=torch.from_numpy(counts),
        textures=torch.from_numpy(textures),
        organs=torch.tensor([ORGAN_ROWS[e.organ if told else UNKNOWN] for e, _, told in rows]),
        views=torch.tensor(
            [VIEW_ROWS[STANDARD.get(e.organ, UNKNOWN) if told else UNKNOWN] for e, _, told in rows]
        ),
        labels=_of_rows([(e.labels, copy) for e, copy, _ in rows]),
        ranks=_of_rows([(e.ranks, copy) for e, copy, _ in rows]),
        levels=torch.from_numpy(np.stack([e.levels[copy] for e, copy, _ in rows])).float(),
        images=torch.tensor([names[e.name] for e, _, _ in rows]),
    )


def _of_rows(rows: Sequence[tuple[Floats | None, int]]) -> Tensor:
    """Return the number of each copy (n,); NaN where an image has none."""
    return torch.tensor([np.nan if own is None else own[copy] for own, copy in rows]).float()
