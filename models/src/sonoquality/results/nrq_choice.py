"""The section on the choice: the entry that ships beside those it took the gate's place of."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sonoquality.degrade import LADDER
from sonoquality.metrics.baselines.registry import NO_REFERENCE
from sonoquality.results.nrq_ladders import (
    COUNTED_LEVELS,
    EXTERNAL,
    HUMBLE,
    MODEL,
    counted,
)
from sonoquality.results.tables import Images, LadderTable, interval, ladders, markdown
from sonoquality.training.held_out import HELD_OUT
from sonoquality.trials.judges import RANK

FORMER = "nrq/1.0.0"
KNOWN, UNKNOWN = "the 18 faults", "the five never trained on"


def choice_section(folder: Path) -> str:
    """Say by how much the entry that ships is ahead of each that it replaced, paired."""
    tables = {KNOWN: _table(folder, "ladders"), **{x: _table(folder, x) for x in EXTERNAL}}
    names = {what: table.operators for what, table in tables.items()} | {KNOWN: LADDER}
    tables[UNKNOWN], names[UNKNOWN] = tables[KNOWN], HELD_OUT
    lines = [
        [what, other, *_gains(table, other, names[what])]
        for other in (FORMER, HUMBLE)
        for what, table in tables.items()
    ]
    levels = [f"AUROC level {level}" for level in COUNTED_LEVELS]
    header = ["faults", "NRQ less", "steps in order", *levels, "mean of levels 1 to 3"]
    return f"""## Why this entry ships

`{FORMER}` was the gate's default before, `{HUMBLE}` before that; the choice was made on these
tables, before any heart was scored (with one viewer's frame still in the mask of 3 of the images,
where the mean of levels 1 to 3 above `{FORMER}` was 0.020 [0.008, 0.030] on the 18 faults, 0.017
[-0.002, 0.037] on `usaugment` and 0.010 [-0.005, 0.027] on `medmnistc`). Paired on the same images;
intervals: 95 %, bootstrap over groups.

{markdown(header, lines)}"""


def _table(folder: Path, name: str) -> LadderTable:
    return ladders(
        {
            MODEL: folder / f"nrq-{name}-model.csv",
            FORMER: folder / f"nrq-{name}-former.csv",
            "baselines": folder / f"nrq-{name}-baselines.csv",
        },
        {MODEL: (RANK,), FORMER: (RANK,), "baselines": tuple(NO_REFERENCE)},
    )


def _gains(table: LadderTable, other: str, names: Sequence[str]) -> list[object]:
    groups, judge = table.groups_of(table.images()), table.judges.index(other)
    order = interval(partial(_gained_order, table, judge, names), groups)
    by_level = [(level,) for level in COUNTED_LEVELS]
    detected = [
        interval(partial(gained, table, judge, names, levels), groups)
        for levels in (*by_level, COUNTED_LEVELS)
    ]
    return [order, *detected]


def _gained_order(table: LadderTable, other: int, names: Sequence[str], images: Images) -> float:
    ours, theirs = (table.in_order(judge, table.places(names), images) for judge in (0, other))
    return ours - theirs


def gained(
    table: LadderTable, other: int, names: Sequence[str], levels: Sequence[int], images: Images
) -> float:
    """Return by how much the first judge's mean AUROC of some levels is above another's."""
    ours, theirs = (
        np.mean([table.detected(j, counted(table, k, names), k, images) for k in levels])
        for j in (0, other)
    )
    return float(ours - theirs)
