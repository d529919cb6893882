"""The section on organs: what knowing one gains, and how often a picture tells it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sonoquality.agreement import Interval
from sonoquality.arrays import Floats
from sonoquality.degrade import LADDER, LEVELS
from sonoquality.results.nrq_alarms import HIGH_FROM, MEDIUM_FROM
from sonoquality.results.nrq_ladders import COUNTED_LEVELS, counted
from sonoquality.results.tables import Images, LadderTable, interval, ladders, markdown
from sonoquality.trials.judges import QUALITY, RANK
from sonoquality.trials.known_organ import CHANCE, KIN, RIGHT, WAYS, column
from sonoquality.trials.pictures import CLEAN
from sonoquality.trials.table import read

CLEAN_CSV, LADDERS_CSV = "nrq-organs-clean.csv", "nrq-organs-ladders.csv"
Lines = Sequence[Mapping[str, str]]


def organ_section(folder: Path) -> str:
    """Say what `--organ` changes, and how far the organ that is told can be trusted."""
    clean, table = read(folder / CLEAN_CSV), _ladders(folder)
    groups = [line["group"] for line in clean]
    right, kin = (interval(_share(clean, key), groups) for key in (RIGHT, KIN))
    spoiled = [line for line in read(folder / LADDERS_CSV) if line["operator"] != CLEAN]
    other = interval(_share(spoiled, RIGHT), [line["group"] for line in spoiled])
    n_images, n_groups = len(table.sources), len(set(table.groups))
    return f"""## What knowing the organ gains

The mixture of all organs (the default), the organ's own part of it (`--organ`), and the mean over
organs weighted by how likely the picture makes each (not shipped). Only the mixture's expert knows
organs: the ranking, four times its weight, is the same for all.

The {len(clean)} validation images of {len(set(groups))} groups as they are. Of eight organs, three
of them muscles, the likeliest is the right one in {_percent(right)} of images, any muscle for a
muscle in {_percent(kin)}; with a fault on them in {_percent(other)}. Quality is the median.

{markdown(_clean_header(), _clean_lines(clean))}

{n_images} images of {n_groups} groups under 18 faults, counted as above:

{_ladder_table(table)}

{_verdict(table, right)}"""


def _ladders(folder: Path) -> LadderTable:
    ranks = [column(RANK, way) for way in WAYS]
    return ladders({RANK: folder / LADDERS_CSV}, {RANK: ranks})


def _numbers(lines: Lines, name: str) -> Floats:
    return np.array([float(line[name]) for line in lines])


def _share(lines: Lines, name: str) -> "partial[float]":
    return partial(_mean, _numbers(lines, name))


def _mean(values: Floats, some: Images) -> float:
    return float(np.mean(values[some]))


def _percent(found: Interval) -> str:
    return f"{found.value:.0%} [{found.low:.0%}, {found.high:.0%}]"


def _clean_header() -> list[str]:
    ways = [f"{what}, {way}" for what in ("quality", "high", "low") for way in WAYS[:2]]
    return ["source", "images", "told right", "chance of the right one", *ways]


def _clean_lines(clean: Lines) -> list[list[object]]:
    lines: list[list[object]] = []
    for source in (*sorted({line["source"] for line in clean}), "all"):
        own = [line for line in clean if source in ("all", line["source"])]
        told = f"{np.mean(_numbers(own, RIGHT)):.0%}", f"{np.median(_numbers(own, CHANCE)):.2f}"
        qualities = [_numbers(own, column(QUALITY, way)) for way in WAYS[:2]]
        cells = [f"{np.median(each):.1f}" for each in qualities]
        cells += [f"{np.mean(each >= HIGH_FROM):.1%}" for each in qualities]
        cells += [f"{np.mean(each < MEDIUM_FROM):.1%}" for each in qualities]
        lines.append([source, len(own), *told, *cells])
    return lines


def _ladder_table(table: LadderTable) -> str:
    images = table.images()
    groups = table.groups_of(images)
    lines: list[list[object]] = []
    for judge, way in enumerate(WAYS):
        numbers = [partial(table.in_order, judge, table.places(LADDER))]
        numbers += [partial(table.detected, judge, counted(table, k), k) for k in LEVELS]
        gained = interval(partial(_gained, table, judge), groups) if judge else ""
        lines.append([way, *(interval(number, groups) for number in numbers), gained])
    levels = [f"AUROC level {level}" for level in LEVELS]
    return markdown(["", "steps in order", *levels, "levels 1 to 3, less the mixture"], lines)


def _gained(table: LadderTable, judge: int, images: Images) -> float:
    """Return the mean AUROC of the mild and middle levels above the mixture's."""
    ours, base = (
        np.mean([table.detected(j, counted(table, k), k, images) for k in COUNTED_LEVELS])
        for j in (judge, 0)
    )
    return float(ours - base)


def _verdict(table: LadderTable, right: Interval) -> str:
    groups = table.groups_of(table.images())
    known = interval(partial(_gained, table, WAYS.index("known")), groups)
    side = "gains" if known.low > 0 else "costs" if known.high < 0 else "changes nothing that shows"
    advice = (
        "Take the organ that `--json` names for a guess: it was wrong more often than right."
        if right.value < 0.5
        else "The organ that `--json` names was right more often than not."
    )
    return f"""**`--organ` {side}** in detection
({known}).
{advice}
Organs share Gaussians: most of fetal head and of one muscle lie in the same one, and by it a
picture can't tell them apart."""
