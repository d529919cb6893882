"""Pictures to judge: clean images, their ladders of faults, and sets that other packages made."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.training.calibrate import to_luma
from sonoquality.training.data import Row

CLEAN = "none"
"""Operator of a picture as it is; its level is 0."""
EXTERNAL_TABLE = "samples.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture with what is known of it."""

    image: str  #: first digits of the SHA-256 of the image that it comes from
    source: str
    group: str  #: what is drawn together by a bootstrap
    operator: str
    level: int
    luma: Luma
    mask: Mask  #: the scan, found on the clean image


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiled:
    """One clean image and all that is made of it, made when asked for."""

    row: Row

    @property
    def image(self) -> str:
        """Name the image."""
        return name_of(self.row)

    @property
    def n_pictures(self) -> int:
        """How many there are."""
        return 1 + len(degrade.OPERATORS) * len(degrade.LEVELS)

    def pictures(self) -> Iterator[Picture]:
        """Return the image as it is, then every fault at every level."""
        luma, mask = self.row.read()
        unit = luma.astype(np.float32) / np.float32(255)
        yield self._picture(CLEAN, 0, luma, mask)
        for operator in degrade.OPERATORS:
            for level in degrade.LEVELS:
                spoiled = degrade.apply(operator, unit, mask, level, self.row.seed)
                yield self._picture(operator, level, to_luma(spoiled), mask)

    def _picture(self, operator: str, level: int, luma: Luma, mask: Mask) -> Picture:
        return Picture(
            image=self.image,
            source=self.row.source,
            group=self.row.group,
            operator=operator,
            level=level,
            luma=luma,
            mask=mask,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AsItIs:
    """One image without a fault."""

    row: Row
    n_pictures: int = 1

    @property
    def image(self) -> str:
        """Name the image."""
        return name_of(self.row)

    def pictures(self) -> Iterator[Picture]:
        """Return the image."""
        luma, mask = self.row.read()
        yield Picture(
            image=self.image,
            source=self.row.source,
            group=self.row.group,
            operator=CLEAN,
            level=0,
            luma=luma,
            mask=mask,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFiles:
    """One image and its ladders as another package wrote them (`models/external/make_set.py`)."""

    image: str
    folder: Path
    lines: tuple[dict[str, str], ...]

    @property
    def n_pictures(self) -> int:
        """How many there are."""
        return len(self.lines)

    def pictures(self) -> Iterator[Picture]:
        """Read one after another."""
        for line in self.lines:
            luma = np.asarray(Image.open(self.folder / line["path"]).convert("L"))
            mask = np.asarray(Image.open(self.folder / line["mask"])) > 127
            yield Picture(
                image=self.image,
                source=line["source"],
                group=line["group"],
                operator=line["operator"],
                level=int(line["level"]),
                luma=luma,
                mask=mask,
            )


Shown = Spoiled | AsItIs | FromFiles


def name_of(row: Row) -> str:
    """Name an image in tables."""
    return row.sha256[:12]


def spread(rows: Sequence[Row], per_source: int) -> list[Row]:
    """Choose images of each source by their hash, every group once before any comes twice.

    The sources take turns, so that a trial cut off has seen all alike.
    """
    turns: list[tuple[int, str, Row]] = []
    for source in sorted({row.source for row in rows}):
        own = sorted((row for row in rows if row.source == source), key=lambda row: row.sha256)
        first = {row.group: row for row in reversed(own)}
        chosen = sorted(own, key=lambda row: row is not first[row.group])[:per_source]
        turns += [(turn, source, row) for turn, row in enumerate(chosen)]
    return [row for *_, row in sorted(turns, key=lambda each: each[:2])]


def external(folder: Path) -> list[FromFiles]:
    """Return the images of an external set."""
    with (folder / EXTERNAL_TABLE).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    images = {Path(line["path"]).stem.split("_")[0]: None for line in lines}
    return [
        FromFiles(
            image=image,
            folder=folder,
            lines=tuple(line for line in lines if Path(line["path"]).stem.startswith(image)),
        )
        for image in images
    ]
