"""The rows of the image collection that a shipped model may learn from, and how they are parted."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from sonoquality.arrays import Luma, Mask
from sonoquality.preprocess import scan_mask

INDEX = "INDEX.csv"
#: One group in so many of a source is taken out of the fit to calibrate the scale.
CALIBRATION_EVERY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image of the collection."""

    path: Path
    source: str
    organ: str
    group: str  #: what must stay on one side of a split
    split: str  #: train, val or eval
    licence: str
    non_commercial: bool
    quality_label: str  #: of the evaluation set only; empty elsewhere
    sha256: str

    @property
    def seed(self) -> int:
        """A number that belongs to this image, the same wherever the file lies."""
        return int(self.sha256[:8], 16)

    def read(self) -> tuple[Luma, Mask]:
        """Return luminance and scan mask."""
        luma = np.asarray(Image.open(self.path).convert("L"))
        return luma, scan_mask(luma)


class Readable(Protocol):
    """An image that can be read again and again."""

    @property
    def seed(self) -> int:
        """A number that belongs to this image."""

    def read(self) -> tuple[Luma, Mask]:
        """Return luminance and scan mask."""


class ForbiddenDataError(ValueError):
    """These rows may not be learned from: not of the training split, or non-commercial."""


def read_index(folder: Path) -> list[Row]:
    """Read every row of the collection's index."""
    with (folder / INDEX).open(encoding="utf-8", newline="") as file:
        return [
            Row(
                path=folder / row["path"],
                source=row["source"],
                organ=row.get("organ") or row["source"],
                group=row["group"],
                split=row["split"],
                licence=row["licence"],
                non_commercial=row["non_commercial"] != "N",
                quality_label=row["quality_label"],
                sha256=row["sha256"],
            )
            for row in csv.DictReader(file)
        ]


def training_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that a shipped model may learn from."""
    return [row for row in rows if row.split == "train" and not row.non_commercial]


def allowed(rows: Iterable[Row]) -> Iterator[Row]:
    """Pass rows on, and stop at the first that may not be learned from.

    Raises:
        ForbiddenDataError: a row is not of the training split or is non-commercial.
    """
    for row in rows:
        if row.split != "train" or row.non_commercial:
            raise ForbiddenDataError(f"{row.path.name} of {row.source} may not be learned from.")
        yield row


def calibrates(row: Row) -> bool:
    """Tell whether a training row calibrates the scale instead of fitting the manifold.

    Whole groups are taken. A source with one single group (no patient numbers) stays in the fit.
    """
    number = int(hashlib.sha256(row.group.encode()).hexdigest(), 16)
    return not row.group.endswith("_all") and number % CALIBRATION_EVERY == 0


def calibrates_unseen(row: Row) -> bool:
    """Tell whether a row of the fit also calibrates by the manifold fitted without its source."""
    return row.seed % CALIBRATION_EVERY == 0
