"""Pictures to judge: clean images, their ladders of faults, and sets that other packages made."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.degrade.scene import DISPLAY_RANGE_DB
from sonoquality.preprocess import working_image
from sonoquality.training.calibrate import to_luma
from sonoquality.training.data import Row

CLEAN = "none"
"""Operator of a picture as it is; its level is 0."""
EXTERNAL_TABLE = "samples.csv"


Scan = tuple[Luma, Mask]


def _same(luma: Luma, mask: Mask) -> Scan:
    return luma, mask


def _gain(decibels: float, luma: Luma, mask: Mask) -> Scan:
    """Shift the grey in the scan, as a gain does after log compression (SCIENCE 7.1)."""
    shift = np.float32(255 * decibels / DISPLAY_RANGE_DB)
    changed = np.clip(np.round(luma.astype(np.float32) + shift), 0, 255).astype(np.uint8)
    return np.where(mask, changed, luma), mask


def _moved(down: int, aside: int, luma: Luma, mask: Mask) -> Scan:
    """Move picture and scan together by whole pixels; what comes in is black."""
    moved_luma, moved_mask = np.zeros_like(luma), np.zeros_like(mask)
    to = (slice(down, None), slice(aside, None))
    kept = (slice(None, luma.shape[0] - down), slice(None, luma.shape[1] - aside))
    moved_luma[to], moved_mask[to] = luma[kept], mask[kept]
    return moved_luma, moved_mask


def _wider(pixels: int, luma: Luma, mask: Mask) -> Scan:
    """Find the scan some pixels wider, or, below zero, narrower."""
    change = ndimage.binary_dilation if pixels > 0 else ndimage.binary_erosion
    return luma, change(mask, iterations=abs(pixels))


def _cropped(height: int, width: int, luma: Luma, mask: Mask) -> Scan:
    """Cut the middle of the scan; a smaller picture stays as it is."""
    if luma.shape[0] < height or luma.shape[1] < width:
        return luma, mask
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    middle = [int(places[0] + places[-1] + 1) // 2 for places in (rows, columns)]
    top, left = (
        min(max(at - side // 2, 0), whole - side)
        for at, side, whole in zip(middle, (height, width), luma.shape, strict=True)
    )
    cut = (slice(top, top + height), slice(left, left + width))
    return np.ascontiguousarray(luma[cut]), np.ascontiguousarray(mask[cut])


#: Copies that are no worse, by name; crops are of pictures at working scale.
VARIATIONS: Mapping[str, Callable[[Luma, Mask], Scan]] = {
    "gain -3 dB": partial(_gain, -3.0),
    "gain +3 dB": partial(_gain, 3.0),
    "1 px aside": partial(_moved, 0, 1),
    "1 px down": partial(_moved, 1, 0),
    "scan 2 px wider": partial(_wider, 2),
    "scan 2 px narrower": partial(_wider, -2),
    "9 windows": partial(_cropped, 448, 448),
    "6 windows": partial(_cropped, 336, 448),
    "4 windows": partial(_cropped, 336, 336),
    "1 window": partial(_cropped, 224, 224),
}


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
        yield self.picture(CLEAN, 0, luma, mask)
        for operator in degrade.OPERATORS:
            for level in degrade.LEVELS:
                spoiled = degrade.apply(operator, unit, mask, level, self.row.seed)
                yield self.picture(operator, level, to_luma(spoiled), mask)

    def picture(self, operator: str, level: int, luma: Luma, mask: Mask) -> Picture:
        """Return one of them, with what is known of the image."""
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
class OnceSpoiled:
    """One clean image and a copy of it under each of some operators, each at one level."""

    row: Row
    operators: tuple[str, ...]
    turn: int  #: of the image: the levels go round, so that all are used alike

    @property
    def image(self) -> str:
        """Name the image."""
        return name_of(self.row)

    @property
    def n_pictures(self) -> int:
        """How many there are."""
        return 1 + len(self.operators)

    def pictures(self) -> Iterator[Picture]:
        """Return the image as it is, then its copies."""
        whole = Spoiled(row=self.row)
        luma, mask = self.row.read()
        unit = luma.astype(np.float32) / np.float32(255)
        yield whole.picture(CLEAN, 0, luma, mask)
        for place, operator in enumerate(self.operators):
            level = degrade.LEVELS[(self.turn + place) % len(degrade.LEVELS)]
            spoiled = degrade.apply(operator, unit, mask, level, self.row.seed)
            yield whole.picture(operator, level, to_luma(spoiled), mask)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsItIs:
    """One image without a fault."""

    row: Row
    called: str = CLEAN  #: its operator in tables: what a person called it, if anyone did
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
            operator=self.called,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """One image, and copies of it that are no worse: a score should hardly move between them."""

    row: Row
    n_pictures: int = 1 + len(VARIATIONS)

    @property
    def image(self) -> str:
        """Name the image."""
        return name_of(self.row)

    def pictures(self) -> Iterator[Picture]:
        """Return the image at working scale, then every variation."""
        working = working_image(*self.row.read())
        width, height = working.size
        luma, mask = to_luma(working.image[:height, :width]), working.mask[:height, :width]
        for operator, change in ((CLEAN, _same), *VARIATIONS.items()):
            changed, scan = change(luma, mask)
            yield Picture(
                image=self.image,
                source=self.row.source,
                group=self.row.group,
                operator=operator,
                level=0,
                luma=changed,
                mask=scan,
            )


Shown = Spoiled | OnceSpoiled | AsItIs | FromFiles | Varied


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
