"""The rows that the sections on uLPIPS are made of: distances beside what an outline loses."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality.agreement import Interval, bootstrap
from sonoquality.arrays import Floats

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


def write_rungs(folder: Path, rows: Sequence[Rung]) -> None:
    """Keep the ladders, to seven digits."""
    plain = ("picture", "group", "organ", "operator", "level")
    _write(
        folder / LADDERS_CSV,
        (*plain, "dice_clean", "dice", *METRICS),
        (
            {key: getattr(row, key) for key in plain}
            | {"dice_clean": _digits(row.dice_clean), "dice": _digits(row.dice)}
            | {key: _digits(row.distances[key]) for key in METRICS}
            for row in rows
        ),
    )


def read_rungs(folder: Path) -> list[Rung]:
    """Read what `write_rungs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [
        Rung(
            picture=row["picture"],
            group=row["group"],
            organ=row["organ"],
            operator=row["operator"],
            level=int(row["level"]),
            dice_clean=float(row["dice_clean"]),
            dice=float(row["dice"]),
            distances={key: float(row[key]) for key in METRICS},
        )
        for row in _read(folder / LADDERS_CSV)
    ]


def write_pairs(folder: Path, rows: Sequence[Pair]) -> None:
    """Keep the pairs, to seven digits."""
    plain = ("picture", "group", "organ", "fault", "level", "other")
    sides = [f"{key}_{side}" for key in METRICS for side in (1, 2)]
    _write(
        folder / PAIRS_CSV,
        (*plain, "dice_clean", "dice_1", "dice_2", *sides),
        (
            {key: getattr(row, key) for key in plain}
            | {"dice_clean": _digits(row.dice_clean)}
            | {f"dice_{side}": _digits(row.dice[side - 1]) for side in (1, 2)}
            | {
                f"{key}_{side}": _digits(row.distances[key][side - 1])
                for key in METRICS
                for side in (1, 2)
            }
            for row in rows
        ),
    )


def read_pairs(folder: Path) -> list[Pair]:
    """Read what `write_pairs` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [
        Pair(
            picture=row["picture"],
            group=row["group"],
            organ=row["organ"],
            fault=row["fault"],
            level=int(row["level"]),
            other=row["other"],
            dice_clean=float(row["dice_clean"]),
            dice=(float(row["dice_1"]), float(row["dice_2"])),
            distances={key: (float(row[f"{key}_1"]), float(row[f"{key}_2"])) for key in METRICS},
        )
        for row in _read(folder / PAIRS_CSV)
    ]


def write_stills(folder: Path, rows: Sequence[Still]) -> None:
    """Keep what should hardly count."""
    _write(
        folder / STILL_CSV,
        ("picture", "group", "change", "ulpips"),
        (
            {
                "picture": row.picture,
                "group": row.group,
                "change": row.change,
                "ulpips": _digits(row.ulpips),
            }
            for row in rows
        ),
    )


def read_stills(folder: Path) -> list[Still]:
    """Read what `write_stills` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return [
        Still(
            picture=row["picture"],
            group=row["group"],
            change=row["change"],
            ulpips=float(row["ulpips"]),
        )
        for row in _read(folder / STILL_CSV)
    ]


def write_run(folder: Path, facts: Mapping[str, str]) -> None:
    """Keep when, where, how and with what the numbers were measured."""
    _write(
        folder / RUN_CSV,
        ("fact", "value"),
        ({"fact": fact, "value": value} for fact, value in facts.items()),
    )


def read_run(folder: Path) -> dict[str, str]:
    """Read what `write_run` kept.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    return {row["fact"]: row["value"] for row in _read(folder / RUN_CSV)}


def over_groups(statistic: Callable[[NDArray[np.intp]], float], groups: Sequence[str]) -> Interval:
    """Return a statistic of rows with its interval; below ten groups the interval is NaN."""
    if len(set(groups)) >= LEAST_GROUPS:
        return bootstrap(statistic, groups, n_resamples=N_RESAMPLES)
    return Interval(statistic(np.arange(len(groups))), float("nan"), float("nan"))


def mean_over_groups(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Return the mean of what is defined, with its interval; see `over_groups`."""
    numbers: Floats = np.asarray(values, np.float64)

    return over_groups(lambda chosen: mean_of_known(numbers[chosen]), groups)


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


def _digits(number: float) -> str:
    return f"{number:.7g}"


def _write(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        kept = csv.DictWriter(file, names, lineterminator="\n")
        kept.writeheader()
        kept.writerows(rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
