"""Which numbers by hand the gate measures for heads: chosen on hearts, in nested folds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonoquality.agreement import Interval
from sonoquality.calibration.choosing import Names, nested, subsets
from sonoquality.calibration.crossval import N_FOLDS, N_REPEATS
from sonoquality.results import rows as csvs
from sonoquality.results.calibration_rows import Lines, heard, images_of, read_baselines
from sonoquality.results.tables import markdown

CSV = "calibration-choice.csv"
POOL = ("mean-gradient-2", "tenengrad-1", "tenengrad-2", "tenengrad-4", "entropy")
"""Numbers by hand that cost a frame less than 2 ms."""
EXPECTED, PICKED, CHOSEN = "expected", "picked", "chosen"
ACCURACY, KAPPA = "balanced accuracy", "quadratic kappa"
SHOWN = 6  #: sets that were picked most often
NOTHING = "none of them"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the choice."""

    kind: str  #: `expected`, `picked` or `chosen`
    of: str  #: a measure, or the names of a set
    value: float  #: of the measure, or in how many outer folds
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the page says of it."""

    accuracy: Interval
    kappa: Interval
    chosen: str  #: on all images
    picked: dict[str, int]  #: in how many outer folds, most often first


def measure(folder: Path, lines: Lines, progress: Progress) -> None:
    """Choose, and write the CSV; takes minutes."""
    baselines = read_baselines(folder, lines)
    numbers = [
        {**heard(line), **{name: own[name] for name in POOL}}
        for line, own in zip(lines, baselines, strict=True)
    ]
    n_choices = N_FOLDS * N_REPEATS
    found = nested(
        images_of(lines, numbers), POOL, lambda done: progress("choices", done, n_choices)
    )
    rows = [
        Row(kind=EXPECTED, of=name, value=each.value, low=each.low, high=each.high)
        for name, each in (
            (ACCURACY, found.expected.balanced_accuracy),
            (KAPPA, found.expected.quadratic_kappa),
        )
    ]
    rows += [_count(PICKED, names, times) for names, times in found.picks.most_common()]
    csvs.write(folder / CSV, [*rows, _count(CHOSEN, found.names, 1)])


def _count(kind: str, names: Names, times: int) -> Row:
    return Row(kind=kind, of=" + ".join(names) or NOTHING, value=times, low=times, high=times)


def read(folder: Path) -> Choice:
    """Read it back."""
    rows = [Row(**csvs.plain(Row, row)) for row in csvs.read(folder / CSV)]
    expected = {
        row.of: Interval(value=row.value, low=row.low, high=row.high)
        for row in rows
        if row.kind == EXPECTED
    }
    return Choice(
        accuracy=expected[ACCURACY],
        kappa=expected[KAPPA],
        chosen=next(row.of for row in rows if row.kind == CHOSEN),
        picked={row.of: int(row.value) for row in rows if row.kind == PICKED},
    )


def section(choice: Choice) -> str:
    """Say what was chosen, how, and what is to be expected of choosing so."""
    shown = [[name, f"{n}"] for name, n in list(choice.picked.items())[:SHOWN]]
    return f"""## Which numbers by hand

The gate measures one, `mean_gradient`, for heads to weigh. The pool: {", ".join(POOL)}.
All {len(subsets(POOL))} sets of these were tried beside raw scores and faults, by folds of the
training patients of each outer fold; the set with the most of balanced accuracy and kappa was
fitted on all of them and graded the patients left out. With no test patient seen:
balanced accuracy {choice.accuracy}, kappa {choice.kappa}. On all patients the same
choice takes {choice.chosen}.

{markdown(["picked most often", f"of {sum(choice.picked.values())} outer folds"], shown)}"""
