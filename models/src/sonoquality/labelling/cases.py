"""The images that diagnosticians work on, with what is true of them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.arrays import Luma, Mask, UnitImage
from sonoquality.labelling.folds import HELD_BACK, fold_of
from sonoquality.metrics.area import resize_area
from sonoquality.preprocess import working_image
from sonoquality.training.data import INDEX, Row, read_index

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a source shows."""

    organ: str
    labels: tuple[int, ...] = ()  #: of its mask that are the target; none: it has no outlines
    diseases: tuple[str, ...] = ()  #: class labels to tell apart; none: one class only


ANATOMIES: Mapping[str, Anatomy] = {
    "busi_breast": Anatomy("breast", (1,), ("benign", "malignant", "normal")),
    "aul_liver": Anatomy("liver", (2, 3), ("Benign", "Malignant", "Normal")),
    "hc18_fetal_head": Anatomy("fetal_head", (1,)),
    "mmotu_ovary": Anatomy(
        "ovary",
        (1,),
        (
            "Chocolate_Cyst",
            "High-grade_Serous_Cystadenoma",
            "Mucinous_Cystadenoma",
            "Ovary_Normal",
            "Serous_Cystadenoma",
            "Simple_Cyst",
            "Teratoma",
            "Theca_Cell_Tumor",
        ),
    ),
    "timtrack_muscle": Anatomy("muscle"),
    "lung_pocus": Anatomy("lung"),
}
ORGANS = tuple(anatomy.organ for anatomy in ANATOMIES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan at working scale, without padding."""

    image: UnitImage  #: (height, width) in [0, 1]
    mask: Mask  #: (height, width), where tissue is
    target: Mask | None  #: (height, width), what is to be outlined; None where nobody drew it


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image of the collection with its truth."""

    row: Row
    disease: str  #: the class label of the source; empty where there is none
    target_path: Path | None

    @property
    def name(self) -> str:
        """Source and first digits of the file's hash."""
        return f"{self.row.source}-{self.row.sha256[:12]}"

    @property
    def anatomy(self) -> Anatomy:
        """What the image shows."""
        return ANATOMIES[self.row.source]

    @property
    def fold(self) -> int:
        """The fold whose diagnosticians did not learn from it; -1: a validation image."""
        return fold_of(self.row)

    def read(self) -> Scan:
        """Return the scan at working scale."""
        luma, scan = self.row.read()
        work = working_image(luma, scan)
        width, height = work.size
        target = None
        if self.target_path is not None:
            left, top, right, bottom = work.box
            labels: Luma = np.asarray(Image.open(self.target_path).convert("L"))
            wanted = self.anatomy.labels
            drawn = np.isin(np.where(labels == 255, 1, labels), wanted)[top:bottom, left:right]
            share = drawn.astype(np.float32)
            if share.shape != (height, width):
                share = resize_area(share, (height, width))
            target = np.asarray(share >= HALF, np.bool_)
        return Scan(
            image=np.ascontiguousarray(work.image[:height, :width]),
            mask=np.ascontiguousarray(work.mask[:height, :width]),
            target=target,
        )


@cache
def all_cases(data: Path) -> tuple[Case, ...]:
    """Return every image for training and validation, in the order of the index."""
    with (data / INDEX).open(encoding="utf-8", newline="") as file:
        told = {data / line["path"]: line for line in csv.DictReader(file)}
    return tuple(
        _case(row, told[row.path], data)
        for row in read_index(data)
        if row.source in ANATOMIES and not row.non_commercial
    )


def sampled(cases: Sequence[Case], most: int) -> list[Case]:
    """Return at most so many of each source and side of the split, new groups first.

    Sources without outlines, which fewer diagnosticians judge, give a third as many. The order is
    that of the files' hashes: a larger sample holds the smaller.
    """
    kept: list[Case] = []
    by_side: dict[tuple[str, bool], list[Case]] = {}
    for case in sorted(cases, key=lambda each: each.row.sha256):
        by_side.setdefault((case.row.source, case.fold == HELD_BACK), []).append(case)
    for (source, _), found in sorted(by_side.items()):
        bound = most if ANATOMIES[source].labels else -(-most // 3)
        kept += _new_groups_first(found)[:bound]
    return kept


def _new_groups_first(found: Sequence[Case]) -> list[Case]:
    seen: dict[str, int] = {}
    turns = []
    for case in found:
        turns.append(seen.get(case.row.group, 0))
        seen[case.row.group] = turns[-1] + 1
    return [found[i] for i in np.argsort(turns, kind="stable")]


def _case(row: Row, line: Mapping[str, str], data: Path) -> Case:
    has_target = bool(line["mask_path"]) and bool(ANATOMIES[row.source].labels)
    return Case(
        row=row,
        disease=line["class_label"] if ANATOMIES[row.source].diseases else "",
        target_path=data / line["mask_path"] if has_target else None,
    )
