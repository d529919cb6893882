"""The pictures that distances are measured on: held-out ones, sources and groups by turns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from sonoquality.arrays import Mask, UnitImage
from sonoquality.preprocess import working_image
from sonoquality.training.data import Row, read_index
from sonoquality.training.segmentation.pictures import ORGANS, Outlined, outlined

OTHERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A clean scan at working scale."""

    image: UnitImage  #: (height, width) in [0, 1]
    mask: Mask  #: (height, width), where tissue is
    organ: Mask | None  #: (height, width), where its organ is; None without an outline


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One picture to measure on."""

    row: Row
    organ: str  #: key of `ORGANS`; empty without an outline
    outline: Outlined | None
    number: int = 0  #: of its source

    @property
    def name(self) -> str:
        """Source and first digits of the file's hash."""
        return f"{self.row.source}-{self.row.sha256[:12]}"

    def read(self) -> Scan:
        """Return the scan, without the padding of a working image."""
        if self.outline is None:
            work, organ = working_image(*self.row.read()), None
        else:
            work, organ = self.outline.read()
        width, height = work.size
        image = np.ascontiguousarray(work.image[:height, :width])
        return Scan(image=image, mask=work.mask[:height, :width], organ=organ)


def probes(data: Path, split: str, most: int) -> list[Probe]:
    """Return held-out pictures, sources by turns.

    Args:
        data: folder of the collection.
        split: `choice`, groups of the training split that nothing here learned from, with an
            outline; or `val`, those of every source.
        most: of a source with outlines; a third as many of another.
    """
    by_source = [
        [Probe(row=each.row, organ=organ, outline=each) for each in outlined(data, organ, split)]
        for organ in ORGANS
    ]
    if split == "val":
        rows = [row for row in read_index(data) if row.split == "val" and not row.non_commercial]
        known = {organ.source for organ in ORGANS.values()}
        for source in sorted({row.source for row in rows} - known):
            found = [Probe(row=r, organ="", outline=None) for r in rows if r.source == source]
            by_source.append(found)
    ordered = [
        _new_groups_first(found)[: most if found[0].organ else -(-most // OTHERS)]
        for found in by_source
        if found
    ]
    return [each for each in chain.from_iterable(zip_longest(*ordered)) if each is not None]


def _new_groups_first(found: Sequence[Probe]) -> list[Probe]:
    """Take one of each group, then a second of each, and so on; which one, its hash decides."""
    by_group: dict[str, list[Probe]] = {}
    for each in sorted(found, key=lambda probe: probe.row.seed):
        by_group.setdefault(each.row.group, []).append(each)
    turns: Iterable[tuple[Probe | None, ...]] = zip_longest(*by_group.values())
    ordered = [each for turn in turns for each in turn if each is not None]
    return [replace(each, number=number) for number, each in enumerate(ordered)]
