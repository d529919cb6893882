"""Numbers from the tables of trials: ranks by fault, image and level, with bootstrap intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.agreement import Interval, bootstrap
from sonoquality.arrays import Floats
from sonoquality.trials.pictures import CLEAN
from sonoquality.trials.table import read

N_RESAMPLES = 300
LEAST_GROUPS = 10
"""Below so many groups no interval is given."""

Images = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderTable:
    """Ranks of several judges on the same pictures; higher is better."""

    judges: tuple[str, ...]
    operators: tuple[str, ...]
    sources: tuple[str, ...]  #: of each image
    groups: tuple[str, ...]  #: of each image
    ranks: Floats  #: (judge, operator, image, level); level 0 is the image as it is

    def images(self, source: str | None = None) -> Images:
        """Return the places of a source's images, or of all."""
        return np.array([i for i, own in enumerate(self.sources) if source in (None, own)], np.intp)

    def in_order(self, judge: int, operators: Sequence[int], images: Images) -> float:
        """Share of adjacent steps of the ladders that go down."""
        ranks = self.ranks[judge][np.ix_(np.asarray(operators), images)]
        return float(np.mean(np.diff(ranks, axis=2) < 0))

    def perfect(self, judge: int, operators: Sequence[int], images: Images) -> float:
        """Share of ladders whose every step goes down."""
        ranks = self.ranks[judge][np.ix_(np.asarray(operators), images)]
        return float(np.mean(np.all(np.diff(ranks, axis=2) < 0, axis=2)))

    def detected(self, judge: int, operators: Sequence[int], level: int, images: Images) -> float:
        """Mean over operators of the AUROC of a level against the images as they are, unpaired."""
        ranks = self.ranks[judge][np.ix_(np.asarray(operators), images)]
        clean, spoiled = ranks[:, :, 0], ranks[:, :, level]
        return float(0.5 + 0.5 * np.sign(clean[:, :, None] - spoiled[:, None, :]).mean())

    def places(self, names: Sequence[str]) -> list[int]:
        """Return where operators stand; those that are not there are left out."""
        return [self.operators.index(name) for name in names if name in self.operators]

    def groups_of(self, images: Images) -> list[str]:
        """Return the groups of images."""
        return [self.groups[i] for i in images]


def ladders(paths: Mapping[str, Path], columns: Mapping[str, Sequence[str]]) -> LadderTable:
    """Put the tables of one trial side by side.

    Args:
        paths: CSV by the name of its judge.
        columns: of each CSV, those that are ranks; one column of the judge's own name is the judge.

    Raises:
        FileNotFoundError: one of the trials was not run yet.
    """
    tables = {name: read(path) for name, path in paths.items()}
    per_image: list[set[str]] = [{line["image"] for line in table} for table in tables.values()]
    shared = set.intersection(*per_image)
    first = next(iter(tables.values()))
    images = list(dict.fromkeys(line["image"] for line in first if line["image"] in shared))
    operators = tuple(
        dict.fromkeys(line["operator"] for line in first if line["operator"] != CLEAN)
    )
    about = {line["image"]: line for line in first}
    judges = [(name, column) for name in paths for column in columns[name]]
    n_levels = 1 + max(int(line["level"]) for line in first)
    ranks = np.full((len(judges), len(operators), len(images), n_levels), np.nan)
    for j, (name, column) in enumerate(judges):
        for line in tables[name]:
            if line["image"] not in shared:
                continue
            image, value = images.index(line["image"]), float(line[column])
            if line["operator"] == CLEAN:
                ranks[j, :, image, 0] = value
            else:
                ranks[j, operators.index(line["operator"]), image, int(line["level"])] = value
    return LadderTable(
        judges=tuple(name if len(columns[name]) == 1 else column for name, column in judges),
        operators=operators,
        sources=tuple(about[image]["source"] for image in images),
        groups=tuple(about[image]["group"] for image in images),
        ranks=ranks,
    )


def interval(number: Callable[[Images], float], groups: Sequence[str]) -> Interval:
    """Bootstrap a number of images over their groups."""
    return bootstrap(number, groups, n_resamples=N_RESAMPLES)


def markdown(header: Sequence[object], lines: Iterable[Sequence[object]]) -> str:
    """Lay out a table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def shown(found: Interval, n_groups: int) -> str:
    """Write a number with its interval, which too few groups do not give."""
    return f"{found.value:.3f}" if n_groups < LEAST_GROUPS else str(found)
