"""Data sets of phantoms in the forms that the benchmark reads; spoiled ones are graded lower."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality import degrade
from tests.models.phantoms import SCANS, tissue

LEVELS = {"high": 0, "medium": 3, "low": 5}  #: of defocus, by grade
POORLY = {"high": "Good", "medium": "Medium", "low": "Poor"}


def phantoms(n_patients: int = 4) -> Iterator[tuple[str, int, Image.Image]]:
    """Return grade, patient and picture: one of each grade a patient."""
    for patient in range(n_patients):
        clean = tissue(SCANS["fan"], seed=patient)
        for grade, level in LEVELS.items():
            spoiled = degrade.apply("DEF", clean, SCANS["fan"], level, patient)
            yield grade, patient, Image.fromarray(np.rint(spoiled * 255).astype(np.uint8))


def folders(root: Path, *, with_patients: bool = True) -> Path:
    """Write folders called by grades, patients below them."""
    for grade, patient, picture in phantoms():
        place = root / grade.capitalize() / (f"P{patient}" if with_patients else "")
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{patient}.png")
    (root / "High" / "notes.txt").write_text("not a picture")
    return root


def collection(root: Path) -> Path:
    """Write a collection with INDEX.csv: graded hearts, and two clean livers to put faults on."""
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (grade, patient, picture) in enumerate(phantoms()):
        picture.save(root / f"{number}.png")
        lines.append(_line(root / f"{number}.png", "heart", f"p{patient}", POORLY[grade]))
    for number in (90, 91):
        grey = tissue(SCANS["linear"], seed=number)
        Image.fromarray(np.rint(grey * 255).astype(np.uint8)).save(root / f"{number}.png")
        lines.append(_line(root / f"{number}.png", "liver", f"g{number}", ""))
    with (root / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)
    return root


def _line(picture: Path, source: str, group: str, label: str) -> dict[str, str]:
    return {
        "path": picture.name,
        "source": source,
        "organ": source,
        "group": group,
        "split": "eval" if label else "val",
        "class_label": "4CH" if label else "",
        "quality_label": label,
        "licence": "CC0-1.0",
        "non_commercial": "N",
        "sha256": hashlib.sha256(picture.read_bytes()).hexdigest(),
    }
