"""Read a department's grades: a CSV with image, grade and patient."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonogate.errors import CalibrationError

GRADES = {
    "low": 0,
    "poor": 0,
    "0": 0,
    "medium": 1,
    "1": 1,
    "high": 2,
    "good": 2,
    "2": 2,
}
NAMES = ("low", "medium", "high")
LEAST_IMAGES = 10
"""Of each grade; with fewer a bound lies where chance put it."""
LEAST_PATIENTS = 5
"""Of each grade: one for each fold."""
ADVISED_IMAGES = 30
"""Of each grade, below which we warn: intervals of figures are wider than what is to be gained."""
ADVISED_PATIENTS = 40
"""Of all, below which we warn."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Grade:
    """One image and what a person said of it."""

    path: Path
    grade: int  #: 0 low, 1 medium, 2 high
    patient: str
    line: int  #: in the file, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """All of a file."""

    rows: tuple[Grade, ...]
    sha256: str  #: of the file


def read_grades(labels: Path, images: Path, *, own_patients: bool = False) -> Grades:
    """Read grades and find their images.

    Args:
        labels: CSV in UTF-8, between commas or semicolons, with `image`, `grade`, `patient`.
        images: folder that the column `image` is relative to.
        own_patients: every image is of another patient, so the column may be missing.

    Raises:
        CalibrationError: a column, an image or a grade is missing or makes no sense.
    """
    try:
        content = labels.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{labels} can't be read ({error}); give a CSV in UTF-8.") from error
    rows = tuple(_rows(labels, text, images, own_patients=own_patients))
    _check_images(rows, images)
    check_enough([row.grade for row in rows], [row.patient for row in rows])
    return Grades(rows=rows, sha256=hashlib.sha256(content).hexdigest())


def _rows(labels: Path, text: str, images: Path, *, own_patients: bool) -> Iterator[Grade]:
    lines = text.splitlines()
    head = lines[0] if lines else ""
    table = csv.DictReader(lines, delimiter=";" if ";" in head and "," not in head else ",")
    names = [name.strip().lower() for name in table.fieldnames or []]
    table.fieldnames = names
    for needed in ("image", "grade"):
        if needed not in names:
            raise CalibrationError(
                f"{labels} has no column {needed!r}; its first line must name image, grade and "
                "patient."
            )
    if "patient" not in names and not own_patients:
        raise CalibrationError(
            f"{labels} has no column 'patient', and images of one patient must stay together, or "
            "the figures promise too much. Add the column (any pseudonym will do), or, if every "
            "image is of another patient, say --own-patients."
        )
    seen: dict[str, int] = {}
    for line, row in enumerate(table, start=2):
        name, word = (row["image"] or "").strip(), (row["grade"] or "").strip().lower()
        if word not in GRADES:
            raise CalibrationError(
                f"{labels}, line {line}: {word!r} is no grade; write high, medium or low."
            )
        patient = name if own_patients else (row["patient"] or "").strip()
        if not name or not patient:
            raise CalibrationError(
                f"{labels}, line {line}: image and patient must both be filled in."
            )
        if name in seen:
            raise CalibrationError(
                f"{labels}, line {line}: {name} was graded in line {seen[name]} too; give one line "
                "an image: of several readers the median grade."
            )
        seen[name] = line
        yield Grade(images / name, GRADES[word], patient, line)


def _check_images(rows: Sequence[Grade], images: Path) -> None:
    missing = [row for row in rows if not row.path.is_file()]
    if missing:
        named = ", ".join(f"{row.path.name} (line {row.line})" for row in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise CalibrationError(
            f"{len(missing)} of {len(rows)} images are not in {images}: {named}{more}. The column "
            "image holds paths relative to --images."
        )


def check_enough(grades: Sequence[int], patients: Sequence[str]) -> None:
    """Refuse grades that nothing can be fitted to.

    Raises:
        CalibrationError: a grade is missing, or is of too few images or patients.
    """
    n_images = Counter(grades)
    found = [name for grade, name in enumerate(NAMES) if n_images[grade]]
    if len(found) < len(NAMES):
        told = " and ".join(found) or "nothing"
        raise CalibrationError(
            f"The grades hold {told} only: two bounds need all three. Grade images as they come, "
            "not only the good ones; if a grade never occurs, the shipped bands are the better "
            "choice."
        )
    for grade, name in enumerate(NAMES):
        of_patients = {who for who, own in zip(patients, grades, strict=True) if own == grade}
        if n_images[grade] < LEAST_IMAGES or len(of_patients) < LEAST_PATIENTS:
            raise CalibrationError(
                f"{n_images[grade]} images of {len(of_patients)} patients are {name}: too few to "
                f"fit to. Grade at least {LEAST_IMAGES} images of {LEAST_PATIENTS} patients of "
                f"each grade; {ADVISED_IMAGES} and more are better."
            )


def warnings_of(grades: Sequence[int], patients: Sequence[str]) -> list[str]:
    """Say what is thin."""
    n_images, told = Counter(grades), []
    for grade, name in enumerate(NAMES):
        if n_images[grade] < ADVISED_IMAGES:
            told.append(
                f"only {n_images[grade]} images are {name}: {ADVISED_IMAGES} or more of each grade "
                "make the bounds steady"
            )
    if len(set(patients)) < ADVISED_PATIENTS:
        told.append(
            f"only {len(set(patients))} patients: with {ADVISED_PATIENTS} or more the intervals "
            "become narrow enough to decide by"
        )
    return told
