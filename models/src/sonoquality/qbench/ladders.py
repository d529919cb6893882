"""Make a data set of known faults: levels of one picture, and noise against shadow at one PSNR.

Grades and scores are the provisional quality that the faults leave (SCIENCE 7.4): synthetic, and
said to be so. Pairs of levels of one fault on one picture need no such weights: the higher level is
the worse one by construction. Which of two faults at one PSNR is worse nobody knows without a
reader; such pairs are kept apart.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.matched import eight_bits, matched_strength, psnr_db
from sonoquality.errors import BenchError
from sonoquality.preprocess import working_image
from sonoquality.qbench.drawing import N_PAIRS, in_turns
from sonoquality.qbench.items import LADDER, MATCHED, Bench, Item, Made, Pair
from sonoquality.training.data import Row, read_index
from sonoquality.trials.pictures import spread

HIGH_FROM, MEDIUM_FROM = 75.0, 45.0  #: of the provisional quality (SCIENCE 7.4)
SHADOW, NOISE = "SHA", "SPK"
MATCHED_LEVELS = (3, 4, 5)
ALL_LEVELS = (0, *degrade.LEVELS)


def make(folder: Path, per_source: int, n_pairs: int = N_PAIRS, seed: int = 0) -> Bench:
    """Draw ladder pairs and matched pairs on validation images of a collection.

    Args:
        folder: with INDEX.csv.
        per_source: images of each source.
        n_pairs: ladder pairs, as many of each gap of levels; matched ones come on top.
        seed: of the draw.

    Raises:
        BenchError: the collection has no validation images.
    """
    rows = spread([row for row in read_index(folder) if row.split == "val"], per_source)
    if not rows:
        raise BenchError(f"{folder} holds no validation images to put faults on.")
    rng = np.random.default_rng(seed)
    piles = []
    for gap in degrade.LEVELS:
        found = list(_of_gap(rows, gap))
        piles.append([found[at] for at in rng.permutation(len(found))])
    drawn = in_turns(piles, n_pairs)
    wanted = {each for pair in drawn for each in (pair.better, pair.worse)}
    items = {item.id: item for item in _items(rows) if item.id in wanted}
    pairs = list(drawn)
    for row in rows:
        for pair, both in _matched(row):
            pairs.append(pair)
            items |= {item.id: item for item in both if item.id not in items}
    sources = sorted({row.source for row in rows})
    return Bench(
        name="ladders",
        items=tuple(items.values()),
        pairs=tuple(pairs),
        about=(
            f"known faults on {len(rows)} validation images of {len(sources)} sources, "
            f"{len({row.group for row in rows})} groups"
        ),
        synthetic=True,
    )


def _of_gap(rows: Sequence[Row], gap: int) -> Iterator[Pair]:
    for row in rows:
        for operator in degrade.LADDER:
            for low, high in combinations(ALL_LEVELS, 2):
                if high - low == gap:
                    yield Pair(
                        better=_name(row, operator, low),
                        worse=_name(row, operator, high),
                        kind=LADDER,
                        gap=gap,
                    )


def _items(rows: Sequence[Row]) -> Iterator[Item]:
    for row in rows:
        for operator in degrade.LADDER:
            for level in ALL_LEVELS:
                yield _item(row, operator, level)


def _name(row: Row, operator: str, level: int) -> str:
    start = row.sha256[:12]
    return f"{start}-{operator}-{level}" if level else start


def _item(row: Row, operator: str, level: int, strength: float | None = None) -> Item:
    score = None if strength is not None else degrade.provisional_quality({operator: level})
    return Item(
        id=_name(row, operator, level) if strength is None else _matched_name(row, level),
        path=str(row.path),
        organ=row.organ,
        label="" if score is None else _label(score),
        score=score,
        attrs={"operator": operator, "level": str(level)} if level else {},
        patient=row.group,
        split=row.split,
        source=row.source,
        licence=row.licence,
        made=Made(
            operator=operator if level else "", level=level, strength=strength, seed=row.seed
        ),
    )


def _label(score: float) -> str:
    if score >= HIGH_FROM:
        return "high"
    return "medium" if score >= MEDIUM_FROM else "low"


def _matched_name(row: Row, level: int) -> str:
    return f"{row.sha256[:12]}-{NOISE}-as-{SHADOW}-{level}"


def _matched(row: Row) -> Iterator[tuple[Pair, tuple[Item, Item]]]:
    image, mask = _working(row)
    for level in MATCHED_LEVELS:
        shadowed = eight_bits(degrade.apply(SHADOW, image, mask, level, row.seed))
        wanted_db = psnr_db(image, shadowed, mask)
        strength = matched_strength(NOISE, image, mask, wanted_db, row.seed)
        if strength is not None:
            both = _item(row, SHADOW, level), _item(row, NOISE, level, strength)
            yield Pair(better=both[0].id, worse=both[1].id, kind=MATCHED, gap=level), both


def _working(row: Row) -> tuple[UnitImage, Mask]:
    working = working_image(*row.read())
    width, height = working.size
    return working.image[:height, :width], working.mask[:height, :width]
