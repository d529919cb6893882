"""The section on what uLPIPS looks at, and how it pools and weighs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.full_reference import table
from sonoquality.results.ulpips_ladders import LEAST_SHARE

CSV = "ulpips-choice.csv"
ORGAN = "dice "  #: begins the columns of organs


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to look, pool and weigh."""

    name: str
    n_pictures: int
    n_pairs: int  #: of one PSNR whose Dice differ
    steps: float  #: share in order
    pairs: float  #: share told apart
    gain: float  #: distance for 3 dB, as a share of that at level 3
    aside: float  #: the same for 1 px
    kept: bool
    measured: str  #: the day
    command: str
    dice: Mapping[str, float]  #: by organ: rank correlation within pictures with the loss of Dice

    @property
    def mean(self) -> float:
        """Mean over organs."""
        return sum(self.dice.values()) / len(self.dice)


def write_csv(folder: Path, tried: Sequence[Tried]) -> None:
    """Keep the numbers."""
    csvs.write(folder / CSV, tried)


def read_csv(folder: Path) -> list[Tried]:
    """Read what `write_csv` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    found = []
    for row in csvs.read(folder / CSV):
        plain = csvs.plain(Tried, row)
        organs = [name for name in row if name not in plain]
        found.append(Tried(**plain, dice={organ: float(row[organ]) for organ in organs}))
    return found


def section(folder: Path) -> str:
    """Lay out what was tried."""
    rows = read_csv(folder)
    lines = [
        [
            f"**{row.name}**" if row.kept else row.name,
            f"{row.steps:.3f}",
            *(f"{value:.3f}" for value in row.dice.values()),
            f"{row.mean:.3f}",
            f"{row.pairs:.2f}",
            f"{row.gain:.1%}",
            f"{row.aside:.1%}",
        ]
        for row in rows
    ]
    organs = [organ.replace("_", " ") for organ in rows[0].dice]
    head = ["", "steps in order", *organs, "mean", "pairs", "3 dB", "1 px"]
    return f"""## What it looks at

{len(rows)} ways, on {rows[0].n_pictures} pictures of groups of the training split that are kept
back to calibrate: no encoder and no segmentation network learned from them, and none is a
validation picture. Share of steps in order; rank correlation with the loss of Dice within pictures;
share of {rows[0].n_pairs} pairs of one PSNR told apart; what 3 dB and 1 px cost, as a share of the
distance at level 3, where less than {LEAST_SHARE:.0%} is asked for. What these mean stands below.
The one in bold is what `robust` mode is. It was chosen under an earlier encoder; of what forgives
3 dB and 1 px none is ahead of it by more than .005 in the mean of Dice, or in pairs.

{table(head, lines)}

- *centred*: tokens are compared beside their picture's mean, so that what all of them share, such
  as the kind of scan, counts less.
- *power*: of the mean over tokens; above 1 the worst places count more.
- *tolerant*: a gain of up to 3 dB and a move of one px are taken out first, where they explain
  nearly all that is different. A fault that does more than that is compared as it is.

Measured on {rows[0].measured} by `{rows[0].command}`; `csv/{CSV}`."""
