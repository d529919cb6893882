"""The section on people's grades: hearts of CAMUS, evaluation only."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from sonoquality.agreement import Interval, auroc, balanced_accuracy, qwk, srcc, two_afc
from sonoquality.arrays import Floats
from sonoquality.evaluation import GRADES, LEDGER
from sonoquality.metrics.baselines.registry import NO_REFERENCE
from sonoquality.results.nrq_alarms import HIGH_FROM, MEDIUM_FROM
from sonoquality.results.nrq_choice import FORMER
from sonoquality.results.nrq_ladders import HUMBLE, MODEL
from sonoquality.results.tables import Images, interval, markdown
from sonoquality.trials.judges import QUALITY, RANK
from sonoquality.trials.table import read

MODEL_CSV, BASELINES_CSV = "nrq-graded-model.csv", "nrq-graded-baselines.csv"
FORMER_CSV = "nrq-graded-former.csv"
BEST_KNOWN = "mean-gradient-2"
"""The number by hand that orders these hearts best (SCIENCE 8)."""


def graded_section(folder: Path) -> str:
    """Say how scores agree with people's grades, beside every baseline."""
    lines = read(folder / MODEL_CSV)
    others = {line["image"]: line for line in read(folder / BASELINES_CSV)}
    grades = np.array([GRADES[line["operator"]] for line in lines], np.float64)
    groups = [line["group"] for line in lines]
    ranks = {MODEL: np.array([float(line[RANK]) for line in lines])}
    for name in NO_REFERENCE:
        ranks[name] = np.array([float(others[line["image"]][name]) for line in lines])
    rows = [[name, *agreements(own, grades, groups)] for name, own in ranks.items()]
    gap = interval(partial(pairs_ahead, ranks[MODEL], ranks[BEST_KNOWN], grades), groups)
    former = {line["image"]: float(line[RANK]) for line in read(folder / FORMER_CSV)}
    earlier = np.array([former[line["image"]] for line in lines])
    lost = interval(partial(pairs_ahead, ranks[MODEL], earlier, grades), groups)
    counts = ", ".join(f"{int((grades == g).sum())} {name}" for name, g in GRADES.items())
    ledger = (folder.parent / LEDGER).read_text(encoding="utf-8").splitlines()
    header = ["", "SRCC", "AUROC poor against good", "poor against the rest", "2AFC"]
    return f"""## People's grades: hearts (CAMUS), evaluation only

{len(lines)} frames of {len(set(groups))} patients: {counts}. No model was trained, tuned or chosen
on them; models of ours ever scored here: {len([x for x in ledger if x.strip()])} (`{LEDGER}`).
Intervals by patient.

{markdown(header, rows)}

{_verdict(gap)} Less `{FORMER}`, on the same pairs:
{lost}. Bands set without these images (high from {HIGH_FROM:g}, medium from
{MEDIUM_FROM:g}): {banded(lines, grades, groups)}.

### Why hearts are missed

Median quality by grade: {_medians(lines)}. To NRQ all three are
clean: it was taught what spoils a sound picture, and what the cardiologist graded, how well the
walls of a heart can be seen, leaves no such trace. Its order of hearts follows the DCT manifold's
(rank correlation {srcc(ranks[MODEL], ranks[HUMBLE]):.2f}) and not the gradient's
({srcc(ranks[MODEL], ranks[BEST_KNOWN]):.2f}). The gradient orders hearts of one collection; on the
ladders of other organs above it is at chance. No heart may be learned from here, and an expert
that looks at gradients could be weighed on these hearts alone, so none was tried: every model that
was scored stands in the ledger."""


def _medians(lines: list[dict[str, str]]) -> str:
    found = {
        name: np.median([float(line[QUALITY]) for line in lines if line["operator"] == name])
        for name in GRADES
    }
    return ", ".join(f"{name} {value:.0f}" for name, value in found.items())


def agreements(ranks: Floats, grades: Floats, groups: list[str]) -> list[Interval]:
    """Return SRCC, AUROC of poor against good and against the rest, and 2AFC."""
    numbers: list[Callable[[Floats, Floats], float]] = [srcc, _poor_good, _poor_rest, two_afc]

    def on(number: Callable[[Floats, Floats], float], some: Images) -> float:
        return number(ranks[some], grades[some])

    return [interval(partial(on, number), groups) for number in numbers]


def _poor_good(ranks: Floats, grades: Floats) -> float:
    return auroc(ranks[grades == 0], ranks[grades == max(GRADES.values())])


def _poor_rest(ranks: Floats, grades: Floats) -> float:
    return auroc(ranks[grades == 0], ranks[grades > 0])


def pairs_ahead(ours: Floats, theirs: Floats, grades: Floats, some: Images) -> float:
    """Return by how much more pairs of unlike grades one order tells right than another."""
    return two_afc(ours[some], grades[some]) - two_afc(theirs[some], grades[some])


def _verdict(gap: Interval) -> str:
    """Say plainly who orders pairs of hearts better."""
    if gap.high < 0:
        return f"**{BEST_KNOWN} orders pairs better than NRQ, by {-gap.value:.2f}.**"
    won = "NRQ orders pairs better" if gap.low > 0 else "Neither is clearly ahead in pairs"
    return f"{won} ({MODEL} less {BEST_KNOWN}: {gap})."


def banded(lines: list[dict[str, str]], grades: Floats, groups: list[str]) -> str:
    """Say how well bands that were set without these images agree with grades."""
    qualities = np.array([float(line[QUALITY]) for line in lines])
    bands = (qualities >= MEDIUM_FROM).astype(np.float64) + (qualities >= HIGH_FROM)

    def accuracy(some: Images) -> float:
        return balanced_accuracy(bands[some], grades[some])

    def kappa(some: Images) -> float:
        return qwk(bands[some], grades[some], len(GRADES))

    found: Mapping[str, Interval] = {
        "balanced accuracy of three classes": interval(accuracy, groups),
        "quadratic kappa": interval(kappa, groups),
    }
    return ", ".join(f"{name} {value}" for name, value in found.items())
