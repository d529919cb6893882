"""A trial's table: one line per picture, kept after every image, so that a long trial resumes."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sonoquality.errors import QualityError
from sonoquality.trials.judges import Judge
from sonoquality.trials.pictures import Picture, Shown

KEYS = ("image", "source", "group", "operator", "level")
DIGITS = 6

Progress = Callable[[str, int, int], None]


class OtherTrialError(QualityError):
    """The file holds another trial's table."""


def run(path: Path, shown: Sequence[Shown], judge: Judge, progress: Progress) -> None:
    """Judge every picture and keep the table; images that it already has are passed over.

    Args:
        path: of the CSV.
        shown: images with all that is made of them.
        judge: gives the columns.
        progress: called with the work, images done, and images in all.

    Raises:
        OtherTrialError: the file holds other columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _whole(path, {each.image: each.n_pictures for each in shown})
    for i, each in enumerate(shown):
        if each.image not in done:
            _append(path, [_line(picture, judge) for picture in each.pictures()])
        progress(path.stem, i + 1, len(shown))


def _whole(path: Path, wanted: Mapping[str, int]) -> set[str]:
    """Return the images whose every line is there; drop the lines of the one cut off, if any."""
    if not path.exists():
        return set()
    lines = read(path)
    counts = {image: sum(line["image"] == image for line in lines) for image in wanted}
    whole = {image for image, count in counts.items() if count == wanted[image]}
    cut_off = set(wanted) - whole
    kept = [line for line in lines if line["image"] not in cut_off]
    if len(kept) < len(lines):
        path.unlink()
        if kept:
            _append(path, kept)
    return whole


def _line(picture: Picture, judge: Judge) -> dict[str, str]:
    keys = {key: str(getattr(picture, key)) for key in KEYS}
    found = judge(picture.luma, picture.mask)
    return {**keys, **{name: f"{value:.{DIGITS}g}" for name, value in found.items()}}


def _append(path: Path, lines: Sequence[Mapping[str, str]]) -> None:
    new = not path.exists()
    if not new:
        with path.open(encoding="utf-8", newline="") as file:
            if next(csv.reader(file)) != list(lines[0]):
                raise OtherTrialError(
                    f"{path} has other columns than this trial; move it away, or write elsewhere."
                )
    with path.open("a", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        if new:
            table.writeheader()
        table.writerows(lines)


def read(path: Path) -> list[dict[str, str]]:
    """Read a table's lines.

    Raises:
        FileNotFoundError: the trial was not run yet.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
