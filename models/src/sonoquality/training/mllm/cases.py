"""Pictures of the collection with what their labels say, as squares that a network is shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.arrays import Luma, Mask, UnitImage
from sonoquality.labelling.cases import Case, all_cases
from sonoquality.metrics.area import resize_area
from sonoquality.preprocess import WorkingImage, working_image
from sonoquality.training.data import Row
from sonoquality.training.mllm import questions
from sonoquality.training.mllm.questions import Known, Thing
from sonoquality.training.segmentation.pictures import HALF, scan_of, square

#: By source: the organ's name.
ORGANS: Mapping[str, str] = {
    "busi_breast": "breast",
    "aul_liver": "liver",
    "hc18_fetal_head": "fetal head",
    "mmotu_ovary": "ovary",
    "lung_pocus": "lung",
    "timtrack_muscle": "muscle",
}
#: By source and class of the index: the finding in one word.
FINDINGS: Mapping[str, Mapping[str, str]] = {
    "busi_breast": {"normal": "normal", "benign": "benign", "malignant": "malignant"},
    "aul_liver": {"Normal": "normal", "Benign": "benign", "Malignant": "malignant"},
    "mmotu_ovary": {
        "Ovary_Normal": "normal",
        "Simple_Cyst": "cyst",
        "Chocolate_Cyst": "endometrioma",
        "Teratoma": "teratoma",
        "Serous_Cystadenoma": "serous",
        "Mucinous_Cystadenoma": "mucinous",
        "High-grade_Serous_Cystadenoma": "carcinoma",
        "Theca_Cell_Tumor": "thecoma",
    },
}
#: By source: what is outlined, with a lesion and without, and their greys in the mask.
OUTLINED: Mapping[str, tuple[tuple[Thing, int], tuple[Thing, int] | None]] = {
    "busi_breast": ((questions.LESION, 1), None),
    "aul_liver": ((questions.MASS, 3), (questions.LIVER, 2)),
    "hc18_fetal_head": ((questions.HEAD, 1), None),
    "mmotu_ovary": ((questions.CYST, 1), (questions.OVARY, 1)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A row of the collection with what can be asked of it."""

    row: Row
    known: Known
    mask_path: Path | None
    grey: int = field(default=0)  #: of the outlined in the mask

    def read(self) -> tuple[WorkingImage, Mask | None]:
        """Return the working image, and its outline (height, width) in the scan's box."""
        luma, scan = self.row.read()
        work = working_image(luma, scan)
        if self.mask_path is None:
            return work, None
        left, top, right, bottom = work.box
        labels: Luma = np.asarray(Image.open(self.mask_path).convert("L"))
        labels = np.where(labels == np.iinfo(np.uint8).max, 1, labels)
        outline = (labels == self.grey)[top:bottom, left:right]
        width, height = work.size
        if outline.shape != (height, width):
            outline = resize_area(outline.astype(np.float32), (height, width)) >= HALF
        return work, np.asarray(outline, np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Squares:
    """Pictures with their outlines, all of one size."""

    pictures: UnitImage  #: (n, side, side)
    outlines: UnitImage  #: (n, side, side), 1 where the outlined is; 0 throughout without one
    scans: UnitImage  #: (n, side, side), 1 in the scan mask


def subjects(data: Path) -> list[Subject]:
    """Return every permissive row for training and validation, in the order of the index."""
    return [subject_of(case) for case in all_cases(data)]


def subject_of(case: Case) -> Subject:
    """Return what can be asked of a case, in this room's words."""
    source = case.row.source
    finding = FINDINGS.get(source, {}).get(case.disease)
    findings = tuple(dict.fromkeys(FINDINGS.get(source, {}).values()))
    lesion = None if finding is None else finding != "normal"
    thing, grey = _outlined(source, with_lesion=lesion is not False)
    has_outline = thing is not None and case.target_path is not None
    return Subject(
        row=case.row,
        known=Known(
            organ=ORGANS[source],
            lesion=lesion,
            finding=finding,
            findings=findings if finding else (),
            thing=thing if has_outline else None,
        ),
        mask_path=case.target_path if has_outline else None,
        grey=grey,
    )


def squares(found: Iterable[Subject], side: int) -> Squares:
    """Decode pictures and reduce them to squares."""
    each = [_square(subject, side) for subject in found]
    pictures, outlines, scans = (np.stack(part) for part in zip(*each, strict=True))
    return Squares(pictures=pictures, outlines=outlines, scans=scans)


def kept_squares(wanted: Sequence[Subject], side: int, file: Path) -> Squares:
    """Return `squares`, read from a file; those that it lacks are added to it."""
    held = _read_squares(file)
    lacking = [subject for subject in wanted if subject.row.sha256 not in held]
    if lacking:
        found = squares(lacking, side)
        as_held = found.pictures.astype(np.float16).astype(np.float32)
        parts = zip(as_held, found.outlines, found.scans, strict=True)
        held |= {one.row.sha256: each for one, each in zip(lacking, parts, strict=True)}
        _write_squares(file, held)
    pictures, outlines, scans = (
        np.stack(each) for each in zip(*[held[one.row.sha256] for one in wanted], strict=True)
    )
    return Squares(pictures=pictures, outlines=outlines, scans=scans)


def _read_squares(file: Path) -> dict[str, tuple[UnitImage, UnitImage, UnitImage]]:
    if not file.exists():
        return {}
    with np.load(file) as kept:
        parts = (kept[name] for name in ("pictures", "outlines", "scans"))
        each = zip(*(part.astype(np.float32) for part in parts), strict=True)
        return dict(zip(kept["sha256"].tolist(), each, strict=True))


def _write_squares(file: Path, held: Mapping[str, tuple[UnitImage, UnitImage, UnitImage]]) -> None:
    pictures, outlines, scans = (np.stack(each) for each in zip(*held.values(), strict=True))
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{getpid()}.part")
    with unfinished.open("wb") as opened:
        np.savez(
            opened,
            sha256=np.array(list(held)),
            pictures=pictures.astype(np.float16),
            outlines=outlines.astype(np.bool_),
            scans=scans.astype(np.bool_),
        )
    unfinished.replace(file)


def shown(image: UnitImage, work: WorkingImage, side: int) -> UnitImage:
    """Return a picture of the working image's size as the square that a network is shown."""
    return square(scan_of(image, work), side)


def _square(subject: Subject, side: int) -> tuple[UnitImage, UnitImage, UnitImage]:
    work, outline = subject.read()
    picture = shown(work.image, work, side)
    scan = shown(work.mask.astype(np.float32), work, side) >= HALF
    drawn = np.zeros_like(picture) if outline is None else square(outline.astype("f4"), side)
    return picture, (drawn >= HALF).astype(np.float32), scan.astype(np.float32)


def _outlined(source: str, *, with_lesion: bool) -> tuple[Thing | None, int]:
    if source not in OUTLINED:
        return None, 0
    lesion, organ = OUTLINED[source]
    found = lesion if with_lesion else organ
    return found if found is not None else (None, 0)
