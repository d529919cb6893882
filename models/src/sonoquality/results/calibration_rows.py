"""The tables that the page on site calibration is made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sonoquality.calibration.fit import GradedImage
from sonoquality.evaluation import GRADES
from sonoquality.metrics.by_hand import MEAN_GRADIENT
from sonoquality.results.nrq_graded import BASELINES_CSV
from sonoquality.trials.judges import QUALITY
from sonoquality.trials.table import KEYS, read

CSV = "calibration-graded.csv"
JOINED_CSV = "calibration-graded-joined.csv"
"""The same by the gate's joined entry, which tells more of each image."""
Lines = Sequence[Mapping[str, str]]


def read_lines(folder: Path) -> Lines:
    """Return what the gate hears of each graded image, as text by column."""
    return read(folder / CSV)


def read_joined(folder: Path) -> Lines:
    """Return what a gate with both models hears of each graded image."""
    return read(folder / JOINED_CSV)


def heard(line: Mapping[str, str]) -> dict[str, float]:
    """Return raw scores and severities, without what is measured by hand."""
    others = (*KEYS, QUALITY, MEAN_GRADIENT)
    return {name: float(value) for name, value in line.items() if name not in others}


def gradient(line: Mapping[str, str]) -> dict[str, float]:
    """Return what is measured by hand."""
    return {MEAN_GRADIENT: float(line[MEAN_GRADIENT])}


def read_baselines(folder: Path, lines: Lines) -> list[dict[str, float]]:
    """Return every measure of the field for the same images."""
    by_image = {line["image"]: line for line in read(folder / BASELINES_CSV)}
    return [
        {name: float(value) for name, value in by_image[line["image"]].items() if name not in KEYS}
        for line in lines
    ]


def images_of(lines: Lines, numbers: Sequence[Mapping[str, float]]) -> list[GradedImage]:
    """Return the graded images with some numbers."""
    return [
        GradedImage(
            patient=line["group"],
            grade=GRADES[line["operator"]],
            quality=float(line[QUALITY]),
            numbers=own,
        )
        for line, own in zip(lines, numbers, strict=True)
    ]
