"""`paper` mode beside what the authors' published program printed on the same inputs.

The inputs are phantoms, random weights in the published form and three of the released organ
models; see the README beside them for what the formulas leave open.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.arrays import Encode, Luma
from sonoquality.metrics import nrq_paper, ulpips_paper
from sonoquality.metrics.organ_model import OrganModel, load_organ_model

CSV = "paper-parity.csv"
EXPECTED = "expected.json"
WEIGHTS = "tinyusfm_random.pth"
MANIFOLDS = "manifolds"
MIXTURE = "mixture"
ASKED = 1e-4
"""Relative error that the parity may have at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One number of the released program beside ours."""

    image: str
    metric: str  #: nrq or ulpips
    against: str  #: an organ model, their mixture, or the image's clean twin
    printed: float
    ours: float

    @property
    def error(self) -> float:
        """Relative error; where 0 was printed, the absolute one."""
        return abs(self.ours - self.printed) / (abs(self.printed) or 1.0)


def measure(folder: Path, encode: Encode) -> Iterator[Compared]:
    """Score every input with the weights that were made for it, image by image.

    Raises:
        FileNotFoundError: the folder isn't that of the reference values.
    """
    organs = {
        path.stem: load_organ_model(path) for path in sorted((folder / MANIFOLDS).glob("*.npz"))
    }
    for row in json.loads((folder / EXPECTED).read_text(encoding="utf-8")):
        yield from _compare(folder, row, encode, organs)


def _compare(
    folder: Path, row: Mapping[str, str | float], encode: Encode, organs: Mapping[str, OrganModel]
) -> Iterator[Compared]:
    image = str(row["image"])
    clean = image.replace("_blur", "").replace("_noise", "")
    found = nrq_paper.score(_read(folder / image), encode, organs)
    ours = {MIXTURE: found.mixture, **found.organs}
    for name, value in ours.items():
        printed = float(row[f"nrq_{name}"])
        yield Compared(image=image, metric="nrq", against=name, printed=printed, ours=value)
    distance = ulpips_paper.score(_read(folder / clean), _read(folder / image), encode)
    printed = float(row["ulpips_to_clean"])
    yield Compared(image=image, metric="ulpips", against=clean, printed=printed, ours=distance)


def _read(path: Path) -> Luma:
    return np.asarray(Image.open(path).convert("L"))


def write_csv(path: Path, rows: Sequence[Compared]) -> None:
    """Keep the numbers, each with all its digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Compared)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def read_csv(folder: Path) -> list[Compared]:
    """Read what `write_csv` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        return [
            Compared(
                image=row["image"],
                metric=row["metric"],
                against=row["against"],
                printed=float(row["printed"]),
                ours=float(row["ours"]),
            )
            for row in csv.DictReader(file)
        ]


def nrq_section(folder: Path) -> str:
    """Say how near NRQ in `paper` mode comes, by size of image and organ model."""
    rows = [row for row in read_csv(folder) if row.metric == "nrq"]
    columns = list(dict.fromkeys(row.against for row in rows))
    return _section("NRQ", rows, columns, {row: row.against for row in rows})


def ulpips_section(folder: Path) -> str:
    """Say how near uLPIPS in `paper` mode comes, by size of image and fault."""
    rows = [row for row in read_csv(folder) if row.metric == "ulpips"]
    columns = ["itself", "blurred", "noisy"]
    kinds = {row: _kind(row.image) for row in rows}
    return _section("uLPIPS", rows, columns, kinds)


def _section(
    name: str, rows: Sequence[Compared], columns: Sequence[str], kinds: Mapping[Compared, str]
) -> str:
    """Lay out the largest error of each size of image and kind of comparison."""
    sizes = list(dict.fromkeys(_size(row.image) for row in rows))
    cells = {
        (size, column): _largest(
            row.error for row in rows if (_size(row.image), kinds[row]) == (size, column)
        )
        for size in sizes
        for column in columns
    }
    lines = [
        "| " + " | ".join(["height x width", *columns]) + " |",
        "| " + " | ".join(["---"] * (len(columns) + 1)) + " |",
        *(
            "| " + " | ".join([size, *(cells[size, column] for column in columns)]) + " |"
            for size in sizes
        ),
    ]
    worst = max(row.error for row in rows)
    verdict = "reached" if worst <= ASKED else "**missed**"
    return f"""## `paper` mode equals the released program

{len(rows)} numbers that the authors' program (sextant-fable/US-Metrics at 53236b2) printed, beside
{name} in `paper` mode on the same pictures and weights: the largest relative error is {worst:.1e};
asked for was {ASKED:.0e}, {verdict}. Pictures are phantoms and the weights are random, so the
numbers themselves mean nothing. The tests also compare a plain transcription of the formulas,
`tests/models/metrics/paper_formulas.py`. Largest relative error by size of picture:

{chr(10).join(lines)}

Measured by `sonoquality evaluate paper-parity`; every number with all digits: `csv/{CSV}`."""


def _largest(errors: Iterable[float]) -> str:
    found = list(errors)
    return f"{max(found):.1e}" if found else "not measured"


def _size(image: str) -> str:
    return image.removesuffix(".png").split("_")[1].replace("x", " x ")


def _kind(image: str) -> str:
    return {"blur": "blurred", "noise": "noisy"}.get(
        image.removesuffix(".png").rpartition("_")[2], "itself"
    )
