"""The section on the encoder's recipe: short runs without one loss, and without one source."""

from functools import partial
from pathlib import Path

import numpy as np

from sonoquality.degrade import LADDER
from sonoquality.results.nrq_ladders import COUNTED_LEVELS, counted
from sonoquality.results.tables import Images, LadderTable, interval, ladders, markdown, shown
from sonoquality.training.held_out import HELD_OUT
from sonoquality.trials.table import KEYS, read

CSV = "encoder-ablations.csv"
WHOLE, UNSEEN, REFITTED = "whole", "unseen ", "whole, refitted without "
SHIPPED = "as shipped"


def section(folder: Path) -> str:
    """Say what each loss brings, and what it costs an encoder not to have seen a source."""
    table = _table(folder / CSV)
    images = table.images()
    return f"""## What the encoder's losses bring

Runs of 48,000 windows each (`models/recipes/ablation.toml`), alike but for one thing; the encoder
that ships saw nearly six times as many, the latter half of them without contrast, as this table
had advised. Two windows of each of {len(images)} validation images
({len(set(table.groups))} groups), as they are and at levels 1 to 3, are scored by one Gaussian
fitted to the four taps' mean tokens on clean windows of the training split: no ranking, no DCT
statistics, so these numbers stand beside one another and beside none above. Differences are paired;
intervals: 95 %, bootstrap over groups. One run each: another seed may shift any of them. The two
views that masked modelling hides count as windows, so that run takes fewer steps. Runs of 14,400
windows, made before, were all near chance (.56 to .64 at level 3). Runs without severity, change or
texture were made at that length only. In 5 of the images a viewer's grey frame still counts as
scan: the short runs' weights are not kept, so they cannot be judged again without it.

{_losses(table)}

{_verdict(table)}

### Encoders that never saw a source

The whole run beside one trained without the source, both with a manifold fitted without it;
AUROC is of that source's images alone.

{_sources(table)}

Trained by `sonoquality train ablations`, measured by `sonoquality evaluate ablations`:
`csv/{CSV}`."""


def _table(path: Path) -> LadderTable:
    judges = [name for name in read(path)[0] if name not in KEYS]
    return ladders({"runs": path}, {"runs": judges})


def _losses(table: LadderTable) -> str:
    images = table.images()
    groups = table.groups_of(images)
    whole = table.judges.index(WHOLE)
    lines = []
    for judge, name in enumerate(table.judges):
        if UNSEEN in name or REFITTED in name:
            continue
        found = [table.detected(judge, counted(table, k), k, images) for k in COUNTED_LEVELS]
        gained = "" if name == WHOLE else interval(partial(_gained, table, judge, whole), groups)
        lines.append(
            [
                name,
                f"{table.in_order(judge, table.places(LADDER), images):.3f}",
                *(f"{value:.3f}" for value in found),
                f"{_mean(table, judge, images, HELD_OUT):.3f}",
                gained,
            ]
        )
    levels = [f"AUROC level {level}" for level in COUNTED_LEVELS]
    header = ["run", "steps in order", *levels, "faults never trained on", "less the whole run"]
    return markdown(header, lines)


def _mean(table: LadderTable, judge: int, images: Images, names: tuple[str, ...] = LADDER) -> float:
    """Mean AUROC of levels 1 to 3."""
    found = [table.detected(judge, counted(table, k, names), k, images) for k in COUNTED_LEVELS]
    return float(np.mean(found))


def _gained(table: LadderTable, judge: int, other: int, images: Images) -> float:
    return _mean(table, judge, images) - _mean(table, other, images)


def _verdict(table: LadderTable) -> str:
    groups = table.groups_of(table.images())
    whole = table.judges.index(WHOLE)
    named: dict[str, list[str]] = {"worse": [], "better": [], "level": []}
    for judge, name in enumerate(table.judges):
        if name in {WHOLE, SHIPPED} or UNSEEN in name or REFITTED in name:
            continue
        found = interval(partial(_gained, table, judge, whole), groups)
        how = "worse" if found.high < 0 else "better" if found.low > 0 else "level"
        named[how].append(name)
    said = {how: ", ".join(names) or "none" for how, names in named.items()}
    return f"""Clearly worse than the whole run: {said["worse"]}.
Clearly better: {said["better"]}.
Not told apart: {said["level"]}."""


def _sources(table: LadderTable) -> str:
    lines = []
    for judge, name in enumerate(table.judges):
        if not name.startswith(UNSEEN):
            continue
        source = name.removeprefix(UNSEEN)
        images = table.images(source)
        groups = table.groups_of(images)
        seen = table.judges.index(REFITTED + source)
        for said, number in (("saw it", seen), ("never saw it", judge)):
            found = [table.detected(number, counted(table, k), k, images) for k in COUNTED_LEVELS]
            order = table.in_order(number, table.places(LADDER), images)
            figures = [f"{value:.3f}" for value in (order, *found)]
            lines.append([source, len(images), len(set(groups)), said, *figures])

        def lost(
            some: Images, own: Images = images, judges: tuple[int, int] = (judge, seen)
        ) -> float:
            return _gained(table, *judges, own[some])

        change = shown(interval(lost, groups), len(set(groups)))
        lines.append([source, "", "", "change of the mean", "", "", change, ""])
    levels = [f"AUROC {level}" for level in COUNTED_LEVELS]
    return markdown(["source", "images", "groups", "encoder", "steps in order", *levels], lines)
