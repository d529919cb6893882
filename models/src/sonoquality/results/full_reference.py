"""The rows that the sections on uLPIPS are made of: distances beside what an outline loses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.agreement import Interval, bootstrap
from sonoquality.arrays import Floats
from sonoquality.results import rows as csvs

LADDERS_CSV, PAIRS_CSV, STILL_CSV = "ulpips-ladders.csv", "ulpips-pairs.csv", "ulpips-still.csv"
RUN_CSV = "ulpips-run.csv"

ULPIPS = "ulpips"
METRICS: Mapping[str, str] = {
    ULPIPS: "uLPIPS",
    "ulpips-paper": "`paper` formula, our encoder",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms-ssim": "MS-SSIM",
    "lpips-style": "LPIPS-style",
}
RIVALS = ("psnr", "ssim", "ms-ssim", "lpips-style")
LEAST_GROUPS = 10
"""Below so many groups no interval is given."""
N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One picture under one operator at one level."""

    picture: str  #: source and first digits of the file's SHA-256
    group: str
    organ: str  #: empty without an outline
    operator: str
    level: int
    dice_clean: float  #: NaN without an outline
    dice: float
    distances: Mapping[str, float]  #: by key of `METRICS`; higher is further


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two faults of one picture at one PSNR."""

    picture: str
    group: str
    organ: str
    fault: str  #: at a level
    level: int
    other: str  #: matched to it
    dice_clean: float
    dice: tuple[float, float]  #: under the fault, under the other
    distances: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """How far a picture's uLPIPS moves for what should hardly count."""

    picture: str
    group: str
    change: str
    ulpips: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One of when, where, how and with what the numbers were measured."""

    fact: str
    value: str


def write_rungs(folder: Path, rows: Sequence[Rung]) -> None:
    """Keep the ladders."""
    csvs.write(folder / LADDERS_CSV, rows)


def read_rungs(folder: Path) -> list[Rung]:
    """Read what `write_rungs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [
        Rung(**csvs.plain(Rung, row), distances={key: float(row[key]) for key in METRICS})
        for row in csvs.read(folder / LADDERS_CSV)
    ]


def write_pairs(folder: Path, rows: Sequence[Pair]) -> None:
    """Keep the pairs."""
    csvs.write(folder / PAIRS_CSV, rows)


def read_pairs(folder: Path) -> list[Pair]:
    """Read what `write_pairs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """

    def sides(row: csvs.Row, name: str) -> tuple[float, float]:
        return float(row[f"{name}_1"]), float(row[f"{name}_2"])

    return [
        Pair(
            **csvs.plain(Pair, row),
            dice=sides(row, "dice"),
            distances={key: sides(row, key) for key in METRICS},
        )
        for row in csvs.read(folder / PAIRS_CSV)
    ]


def write_stills(folder: Path, rows: Sequence[Still]) -> None:
    """Keep what should hardly count."""
    csvs.write(folder / STILL_CSV, rows)


def read_stills(folder: Path) -> list[Still]:
    """Read what `write_stills` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [Still(**csvs.plain(Still, row)) for row in csvs.read(folder / STILL_CSV)]


def write_run(folder: Path, facts: Mapping[str, str]) -> None:
    """Keep when, where, how and with what the numbers were measured."""
    rows = [Fact(fact=fact, value=value) for fact, value in facts.items()]
    csvs.write(folder / RUN_CSV, rows)


def read_run(folder: Path) -> dict[str, str]:
    """Read what `write_run` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return {row["fact"]: row["value"] for row in csvs.read(folder / RUN_CSV)}


def over_groups(statistic: Callable[[NDArray[np.intp]], float], groups: Sequence[str]) -> Interval:
    """Return a statistic of rows with its interval; below ten groups the interval is NaN."""
    if len(set(groups)) >= LEAST_GROUPS:
        return bootstrap(statistic, groups, n_resamples=N_RESAMPLES)
    return Interval(statistic(np.arange(len(groups))), float("nan"), float("nan"))


def mean_over_groups(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Return the mean of what is defined, with its interval; see `over_groups`."""
    known = [number for number, value in enumerate(values) if np.isfinite(value)]
    numbers: Floats = np.array([values[number] for number in known], np.float64)
    return over_groups(
        lambda chosen: mean_of_known(numbers[chosen]), [groups[number] for number in known]
    )


def mean_of_known(numbers: Floats) -> float:
    """Return the mean of what is not NaN; NaN where nothing is known."""
    known = numbers[np.isfinite(numbers)]
    return float(known.mean()) if known.size else float("nan")


def said(found: Interval) -> str:
    """Write a number with its interval, if it has one."""
    if not np.isfinite(found.value):
        return "–"
    if not np.isfinite(found.low):
        return f"{found.value:.3f}"
    return str(found)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
