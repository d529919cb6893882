"""The records that the benchmark's page is made of, and its numbers by entrant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sonoquality.results import rows as csvs

SETS_CSV = "qbench-sets.csv"
ENTRANTS_CSV = "qbench-entrants.csv"
TABLE_CSV = "qbench-table.csv"
CONFUSION_CSV = "qbench-confusion.csv"
GAPS_CSV = "qbench-gaps.csv"
WAYS = ("own bands", "raw", "calibrated", "clustered", "said")
MAIN_WAYS = ("own bands", "raw", "clustered")
"""The first that an entrant has stands on the leaderboard."""
NONE = "–"
LANGUAGE = "language model"  #: the kind of an entrant
Kind = TypeVar("Kind", "Line", "EntrantOf", "Seen", "Step")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOf:
    """One data set."""

    bench: str
    about: str
    evaluation_only: bool
    synthetic: bool
    items: int  #: graded or scored
    patients: int
    grades: Mapping[str, int]
    target: str  #: `score` or `grade`
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrantOf:
    """One entrant in one data set."""

    bench: str
    entrant: str
    kind: str
    way: str  #: how log-probabilities were had
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number of one entrant."""

    bench: str
    entrant: str
    level: int
    task: str
    of: str
    measure: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One cell of a confusion matrix."""

    bench: str
    entrant: str
    level: int
    way: str
    truth: str
    said: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How often the better one wins at one gap."""

    bench: str
    entrant: str
    level: int
    kind: str
    gap: int
    accuracy: float
    low: float
    high: float
    n: int


def scores_csv(bench: str) -> str:
    """Return the name of the file of a data set's scores."""
    return f"qbench-scores-{bench}.csv"


def read(kind: type[Kind], path: Path) -> list[Kind]:
    """Read records back; those with mappings are read as plain rows instead."""
    return [kind(**csvs.plain(kind, row)) for row in csvs.read(path)]


class Table:
    """The numbers of the page by entrant."""

    def __init__(self, folder: Path, bench: str) -> None:
        self._lines = {
            (line.entrant, line.level, line.task, line.of, line.measure): line
            for line in read(Line, folder / TABLE_CSV)
            if line.bench == bench
        }
        self.kinds = {
            told.entrant: told.kind
            for told in read(EntrantOf, folder / ENTRANTS_CSV)
            if told.bench == bench
        }

    def players(self) -> list[tuple[str, int]]:
        """Return entrants with their levels of prompts, by rank agreement, best first."""
        found = {(line.entrant, line.level) for line in self._lines.values()}

        def rank(player: tuple[str, int]) -> tuple[float, str, int]:
            line = self.line(player, "scoring", "overall", "SRCC")
            known = line is not None and np.isfinite(line.value)
            return (-line.value if line is not None and known else np.inf, *player)

        return sorted(found, key=rank)

    def line(self, player: tuple[str, int], task: str, of: str, measure: str) -> Line | None:
        """Return one number, or None where there is none."""
        return self._lines.get((*player, task, of, measure))

    def cell(self, player: tuple[str, int], task: str, of: str, measure: str) -> str:
        """Write one number without its interval."""
        line = self.line(player, task, of, measure)
        return NONE if line is None or np.isnan(line.value) else f"{line.value:.2f}"

    def full(self, player: tuple[str, int], task: str, of: str, measure: str) -> str:
        """Write one number with its interval."""
        line = self.line(player, task, of, measure)
        if line is None or np.isnan(line.value):
            return NONE
        return f"{line.value:.2f} [{line.low:.2f}, {line.high:.2f}]"

    def way(self, player: tuple[str, int]) -> str:
        """Return the way to a grade that stands on the leaderboard."""
        known = [way for way in WAYS if self.line(player, "classification", way, "QWK")]
        return next((way for way in MAIN_WAYS if way in known), "")

    def kinds_of_pairs(self) -> list[str]:
        """Return the kinds of pairs that have a right answer."""
        found = [key[3] for key in self._lines if key[2] == "comparison" and key[4] == "accuracy"]
        return list(dict.fromkeys(found))


def called(player: tuple[str, int]) -> str:
    """Name an entrant and its level of prompts."""
    name, level = player
    return f"{name}, prompt {level}" if level else name
