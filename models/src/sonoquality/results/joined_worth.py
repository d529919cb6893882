"""Sections of the joined verdict's page on people's grades and on the clock."""

from functools import partial
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.evaluation import GRADES, LEDGER
from sonoquality.results import nrq_graded, rows
from sonoquality.results.joined_rows import GRADED, SPEED
from sonoquality.results.tables import interval, markdown
from sonoquality.trials.judges import RANK
from sonoquality.trials.table import read

ASKED_2AFC, ASKED_POOR_GOOD, ASKED_RATIO = 0.88, 0.98, 1.25


def graded_section(folder: Path) -> str:
    """Say how the joined score agrees with people's grades of hearts.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    lines = read(folder / GRADED)
    grades = np.array([GRADES[line["operator"]] for line in lines], np.float64)
    groups = [line["group"] for line in lines]
    others = {line["image"]: line for line in read(folder / nrq_graded.BASELINES_CSV)}
    nrq = {line["image"]: float(line[RANK]) for line in read(folder / nrq_graded.MODEL_CSV)}
    best = nrq_graded.BEST_KNOWN
    ranks = {
        "joined": np.array([float(line[RANK]) for line in lines]),
        "NRQ": np.array([nrq[line["image"]] for line in lines]),
        best: np.array([float(others[line["image"]][best]) for line in lines]),
    }
    agreed = {name: nrq_graded.agreements(own, grades, groups) for name, own in ranks.items()}
    table = [[name, *numbers] for name, numbers in agreed.items()]
    gaps = [
        interval(partial(nrq_graded.pairs_ahead, ranks["joined"], ranks[name], grades), groups)
        for name in ("NRQ", best)
    ]
    _, poor_good, _, pairs = agreed["joined"]
    reached = pairs.value >= ASKED_2AFC and poor_good.value >= ASKED_POOR_GOOD
    ledger = (folder.parent / LEDGER).read_text(encoding="utf-8").splitlines()
    header = ["", "SRCC", "AUROC poor against good", "poor against the rest", "2AFC"]
    return f"""## People's grades: hearts (CAMUS), evaluation only

{len(lines)} frames of {len(set(groups))} patients, scored after the choice of the rule; models of
ours ever scored here: {len([x for x in ledger if x.strip()])} (`{LEDGER}`). Intervals by patient.

{markdown(header, table)}

Asked for: 2AFC {ASKED_2AFC:g} and AUROC of poor against good {ASKED_POOR_GOOD:g}:
{"reached" if reached else "**missed**"}. In pairs the joined score is ahead of NRQ by {gaps[0]},
of {best} by {gaps[1]}. Bands set without these images: {nrq_graded.banded(lines, grades, groups)}.

MedQM-I learned from breast, liver, fetal head and ovary; of a heart it knows faults, and these
frames have none of those: their grades are about how well walls stand out. Nothing that learned
from other organs here orders them, and what orders them (one gradient) says nothing on the ladders
of other organs, where the choice is made. A site's own grades are the way out: the
[calibration page](calibration.md) has what they bring."""


def speed_section(folder: Path) -> str:
    """Say how long a verdict takes beside the encoder alone.

    Raises:
        FileNotFoundError: it was not measured yet.
    """
    lines = rows.read(folder / SPEED)
    encoder, graph, verdict = (
        np.array([float(line[name]) for line in lines]) for name in ("encoder", "graph", "verdict")
    )
    ratios = {name: own / encoder for name, own in (("graph", graph), ("verdict", verdict))}
    table = [
        ["the encoder alone", f"{np.median(encoder):.1f}", "1"],
        [
            "the whole graph: NRQ and MedQM-I too",
            f"{np.median(graph):.1f}",
            _times(ratios["graph"]),
        ],
        [
            "the verdict: windows, graph, faults by hand, joined score, heat map",
            f"{np.median(verdict):.1f}",
            _times(ratios["verdict"]),
        ],
    ]
    reached = float(np.median(ratios["verdict"])) <= ASKED_RATIO
    return f"""## How long it takes

A phantom still of 448 by 336 pixels (six windows), one thread, {len(lines)} rounds in turns:

{markdown(["", "ms, median", "times the encoder: median, quartiles"], table)}

Asked for: the verdict in at most {ASKED_RATIO:g} times the encoder alone:
{"reached" if reached else "**missed**"}."""


def _times(ratios: Floats) -> str:
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
