"""The section on how uLPIPS' parts were weighed."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality.results.full_reference import table

CSV = "ulpips-choice.csv"
PLAIN = ("name", "n_pictures", "steps", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to weigh the parts."""

    name: str
    n_pictures: int
    steps: float  #: share in order
    dice: Mapping[str, float]  #: by organ: rank correlation within pictures with the loss of Dice
    kept: bool

    @property
    def mean(self) -> float:
        """Mean over organs."""
        return sum(self.dice.values()) / len(self.dice)


def write_csv(folder: Path, rows: Sequence[Tried]) -> None:
    """Keep the numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CSV).open("w", encoding="utf-8", newline="") as file:
        kept = csv.DictWriter(file, [*PLAIN, *rows[0].dice], lineterminator="\n")
        kept.writeheader()
        for row in rows:
            numbers = {organ: f"{value:.6f}" for organ, value in row.dice.items()}
            plain = {key: getattr(row, key) for key in PLAIN}
            kept.writerow({**plain, "steps": f"{row.steps:.6f}", **numbers})


def read_csv(folder: Path) -> list[Tried]:
    """Read what `write_csv` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        return [
            Tried(
                name=row["name"],
                n_pictures=int(row["n_pictures"]),
                steps=float(row["steps"]),
                dice={organ: float(row[organ]) for organ in row if organ not in PLAIN},
                kept=row["kept"] == "True",
            )
            for row in csv.DictReader(file)
        ]


def section(folder: Path) -> str:
    """Lay out what was tried."""
    rows = read_csv(folder)
    lines = [
        [
            f"**{row.name}**" if row.kept else row.name,
            f"{row.steps:.3f}",
            *(f"{value:.3f}" for value in row.dice.values()),
            f"{row.mean:.3f}",
        ]
        for row in rows
    ]
    head = ["weights", "steps in order", *(o.replace("_", " ") for o in rows[0].dice), "mean"]
    return f"""## How its parts are weighed

{len(rows)} ways, on {rows[0].n_pictures} pictures of groups of the training split that are kept
back to calibrate: no encoder and no segmentation network learned from them, and none is a
validation picture. Share of steps in order, and rank correlation with the loss of Dice within
pictures; what these mean stands below. The one in bold is what `robust` mode is.

{table(head, lines)}

Measured by `sonoquality evaluate ulpips-weights`; `csv/{CSV}`."""
