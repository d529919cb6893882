"""The section on the task: does a distance tell how much of an outline a fault costs?"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.agreement import Interval, srcc
from sonoquality.arrays import Floats
from sonoquality.results.full_reference import (
    LEAST_GROUPS,
    METRICS,
    RIVALS,
    ULPIPS,
    Rung,
    mean_over_groups,
    over_groups,
    read_rungs,
    said,
    table,
)

LEAST_DICE = 0.5
"""Below it on the clean picture the network doesn't know the organ: a fault can't cost much."""
ASKED = 2  #: organs of three on which uLPIPS should lead


class Losses:
    """Of one organ's pictures: what each operator and level cost, and how far each distance is."""

    def __init__(self, rows: Sequence[Rung]) -> None:
        counted = [row for row in rows if row.operator in degrade.LADDER]
        by_picture = [
            list(found)
            for _, found in groupby(
                sorted(counted, key=lambda row: row.picture), key=lambda row: row.picture
            )
        ]
        kept = [found for found in by_picture if found[0].dice_clean >= LEAST_DICE]
        self.n_left_out = len(by_picture) - len(kept)
        self.groups = [found[0].group for found in kept]
        self.clean = np.array([found[0].dice_clean for found in kept])
        self.drops: list[Floats] = [
            np.array([row.dice_clean - row.dice for row in found]) for found in kept
        ]
        self.distances: dict[str, list[Floats]] = {
            key: [np.array([row.distances[key] for row in found]) for found in kept]
            for key in METRICS
        }

    def within(self, metric: str) -> list[float]:
        """Return the rank correlation over each picture's degradations."""
        pairs = zip(self.distances[metric], self.drops, strict=True)
        return [srcc(x, y) for x, y in pairs]

    def pooled(self, metric: str) -> Interval:
        """Return the rank correlation over all pictures' degradations together."""

        def correlation(chosen: NDArray[np.intp]) -> float:
            if not len(chosen):
                return float("nan")
            far, lost = (
                np.concatenate([each[number] for number in chosen])
                for each in (self.distances[metric], self.drops)
            )
            return srcc(far, lost)

        return over_groups(correlation, self.groups)

    def lead(self, rival: str) -> Interval:
        """Return how much higher uLPIPS correlates within pictures than another distance."""
        ahead = np.subtract(self.within(ULPIPS), self.within(rival))
        return mean_over_groups(list(ahead), self.groups)


def section(folder: Path) -> str:
    """Lay out the rank correlations of distances with the loss of Dice, by organ."""
    rows = [row for row in read_rungs(folder) if row.organ and np.isfinite(row.dice)]
    if not rows:
        raise FileNotFoundError("No Dice was measured yet.")
    organs = list(dict.fromkeys(row.organ for row in rows))
    losses = {organ: Losses([row for row in rows if row.organ == organ]) for organ in organs}
    return f"""## It tells what a fault costs

Small networks (`models/recipes/segmentation.toml`) learned to outline an organ on clean pictures
of the training split. On validation pictures each operator and level costs them some Dice; a
distance is good if it ranks these losses. Pictures with a clean Dice below {LEAST_DICE} are left
out. Intervals: 95 %, bootstrap over groups, none below {LEAST_GROUPS} groups.

{_networks(losses)}

Rank correlation (Spearman) of distance and loss of Dice over the operators and levels that each
picture was put under (of the {len(degrade.LADDER)} that count), mean over pictures:

{_within(losses)}

The same over all pictures of an organ pooled:

{_pooled(losses)}

How much higher uLPIPS correlates within pictures, paired:

{_leads(losses)}

{_verdict(losses)}

Why: none of the ways tried above ranks the loss of Dice clearly better than the one that was
chosen. What a fault costs a network hangs on whether it
lies on the organ's edge, which no distance here is told. With five or six pictures of an organ no
lead is sure either way."""


def _networks(losses: dict[str, Losses]) -> str:
    lines = [
        [
            organ.replace("_", " "),
            f"{len(found.groups)} of {len(set(found.groups))} groups",
            str(found.n_left_out),
            f"{found.clean.mean():.3f}" if len(found.clean) else "–",
            f"{np.concatenate(found.drops).mean():.3f}" if found.drops else "–",
        ]
        for organ, found in losses.items()
    ]
    return table(["organ", "pictures", "left out", "Dice, clean", "mean loss"], lines)


def _within(losses: dict[str, Losses]) -> str:
    lines = [
        [name, *(said(mean_over_groups(f.within(key), f.groups)) for f in losses.values())]
        for key, name in METRICS.items()
    ]
    return table(["distance", *_titles(losses)], lines)


def _pooled(losses: dict[str, Losses]) -> str:
    lines = [
        [name, *(said(found.pooled(key)) for found in losses.values())]
        for key, name in METRICS.items()
    ]
    return table(["distance", *_titles(losses)], lines)


def _leads(losses: dict[str, Losses]) -> str:
    lines = [
        [f"over {METRICS[key]}", *(said(found.lead(key)) for found in losses.values())]
        for key in RIVALS
    ]
    return table(["", *_titles(losses)], lines)


def _titles(losses: dict[str, Losses]) -> list[str]:
    return [organ.replace("_", " ") for organ in losses]


def _verdict(losses: dict[str, Losses]) -> str:
    ahead, sure = [], []
    for organ, found in losses.items():
        leads = [found.lead(key) for key in RIVALS]
        if all(lead.value > 0 for lead in leads):
            ahead.append(organ.replace("_", " "))
        if all(lead.low > 0 for lead in leads):
            sure.append(organ.replace("_", " "))
    verdict = "reached" if len(ahead) >= ASKED else "**missed**"
    return (
        f"Asked for: ahead of PSNR, SSIM, MS-SSIM and the LPIPS-style distance on at least "
        f"{ASKED} of three organs. Ahead in the mean on {', '.join(ahead) or 'none'}: {verdict}; "
        f"with every interval above 0 on {', '.join(sure) or 'none'}."
    )
