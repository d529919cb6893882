"""What knowing the organ changes: the same windows by the mixture of all, its own, and the likely.

Likely is the mean over organs of each one's badness, weighted by what the picture itself tells.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats, Luma, Mask
from sonoquality.card import ModelCard
from sonoquality.errors import UnknownOrganError
from sonoquality.metrics.experts import Expert, ExpertManifold
from sonoquality.model import DCT, QualityModel
from sonoquality.pooling import area_mean, worst_area_mean
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training.data import Row
from sonoquality.trials import table
from sonoquality.trials.judges import QUALITY, RANK, Judge
from sonoquality.trials.pictures import AsItIs, Spoiled

WAYS = ("mixture", "known", "likely")
CHANCE, RIGHT, KIN = "chance", "right", "kin"


def column(number: str, way: str) -> str:
    """Return the name of a table's column."""
    return f"{number}_{way}"


def run(
    path: Path,
    rows: Sequence[Row],
    shown: type[Spoiled] | type[AsItIs],
    model: QualityModel,
    progress: table.Progress,
) -> None:
    """Judge images whose organ the model knows, and keep the table; a trial cut off goes on.

    Raises:
        UnknownOrganError: the model knows no organs.
    """
    known = model.manifold.organs if model.manifold is not None else None
    if known is None:
        raise UnknownOrganError("The model knows no organs; name another entry.")
    rows = [row for row in rows if row.organ in known.names]
    for organ, own in groupby(sorted(rows, key=lambda row: row.organ), lambda row: row.organ):
        table.run(path, [shown(row=row) for row in own], judge(model, organ), progress)


def judge(model: QualityModel, organ: str) -> Judge:
    """Return the judge that asks an entry in every way, told that all pictures show an organ."""
    shared = model.manifold
    if shared is None:
        raise UnknownOrganError("The model knows no organs; name another entry.")
    own = shared.for_organ(organ)

    def judged(luma: Luma, mask: Mask) -> Mapping[str, float]:
        windows = windows_of(working_image(luma, mask))
        found = model.session.run(windows.pixels, windows.masks, ("badness", DCT))
        dct, mixed = (found[name].astype(np.float64) for name in (DCT, "badness"))
        badness, chances = _ways(shared, own, mixed, dct)
        likeliest = max(chances, key=chances.__getitem__)
        numbers = {CHANCE: chances[organ], RIGHT: float(likeliest == organ)}
        numbers[KIN] = float(kin(likeliest) == kin(organ))
        for way, values in badness.items():
            score = _pooled(model.card, values, windows.areas)
            numbers[column(RANK, way)] = -score
            numbers[column(QUALITY, way)] = model.card.scale.to_quality(score, len(values))
        return numbers

    return judged


def kin(organ: str) -> str:
    """Return the organ without its part: all muscles are muscle."""
    return organ.partition(" (")[0]


def _ways(
    shared: ExpertManifold, own: ExpertManifold, mixed: Floats, dct: Floats
) -> tuple[Mapping[str, Floats], Mapping[str, float]]:
    """Return each way's badness of windows (n,), and how likely each organ is."""
    share = _share(shared)
    base = mixed - share * _dct(shared).badness(dct)
    chances = shared.organ_posterior(dct)
    by_organ = [_dct(shared.for_organ(name)).badness(dct) for name in chances]
    likely = np.array(list(chances.values())) @ np.stack(by_organ)
    ways = (mixed, base + share * _dct(own).badness(dct), base + share * likely)
    return dict(zip(WAYS, ways, strict=True)), chances


def _dct(manifold: ExpertManifold) -> Expert:
    return next(expert for expert in manifold.window if expert.view.kind == DCT)


def _share(manifold: ExpertManifold) -> float:
    return _dct(manifold).weight / sum(expert.weight for expert in manifold.window)


def _pooled(card: ModelCard, badness: Floats, areas: Floats) -> float:
    """Return what `QualityModel` makes of windows."""
    worst = worst_area_mean(badness, areas, card.tail_share)
    return (1.0 - card.tail_weight) * area_mean(badness, areas) + card.tail_weight * worst
