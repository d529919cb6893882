"""What a data set of the benchmark holds: graded pictures, and pairs of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.images import read_luma
from sonoquality.preprocess import scan_mask, working_image

GRADES = ("low", "medium", "high")
"""In rising order; a grade's place is its ordinal number."""
CLASSES, LADDER, MATCHED = "classes", "ladder", "matched"
"""Kinds of pairs: of unlike grades; two levels of one fault on one picture; noise and shadow on one
picture at one PSNR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The fault that is put on a picture at working scale before anyone sees it."""

    operator: str  #: empty: the picture as it is, at working scale
    level: int
    strength: float | None  #: in the operator's unit, where it lies between levels
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture with what is known of it (SCIENCE 6f)."""

    id: str
    path: str
    organ: str = ""
    view: str = ""
    label: str = ""  #: one of `GRADES`; empty where nobody graded
    score: float | None = None  #: [0, 100]
    attrs: Mapping[str, str] = field(default_factory=dict)
    patient: str = ""  #: what a bootstrap draws together
    split: str = ""
    source: str = ""
    licence: str = ""
    made: Made | None = None

    @property
    def grade(self) -> int:
        """0 to 2, or -1 where nobody graded."""
        return GRADES.index(self.label) if self.label else -1

    def read(self) -> tuple[Luma, Mask]:
        """Return luminance (height, width) and the scan mask; made pictures at working scale."""
        luma = read_luma(Path(self.path))
        mask = scan_mask(luma)
        if self.made is None:
            return luma, mask
        working = working_image(luma, mask)
        width, height = working.size
        image, mask = working.image[:height, :width], working.mask[:height, :width]
        made = self.made
        if made.strength is not None:
            image = degrade.apply_at(made.operator, image, mask, made.strength, made.seed)
        elif made.operator:
            image = degrade.apply(made.operator, image, mask, made.level, made.seed)
        return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two items of which the first is the better one."""

    better: str  #: id
    worse: str
    kind: str  #: `CLASSES`, `LADDER` or `MATCHED`
    gap: int  #: grades or levels between them; of a matched pair, the shadow's level


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A data set of the benchmark."""

    name: str
    items: tuple[Item, ...]
    pairs: tuple[Pair, ...]
    about: str  #: where it comes from and how it was drawn, a sentence or two
    evaluation_only: bool = False  #: no model may be chosen on it, and every look is noted
    synthetic: bool = False  #: grades follow from the faults put on, nobody gave them

    def by_id(self) -> Mapping[str, Item]:
        """Return items by their id."""
        return {item.id: item for item in self.items}
