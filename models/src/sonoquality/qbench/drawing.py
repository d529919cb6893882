"""Draw pairs: of unlike grades within one organ, as many of each two grades."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy.random import Generator

from sonoquality.qbench.items import CLASSES, Item, Pair

N_PAIRS = 300


def of_unlike_grades(items: Sequence[Item], n_pairs: int = N_PAIRS, seed: int = 0) -> list[Pair]:
    """Draw pairs of items of one organ with unlike grades, as many of each two grades.

    Returns:
        At most `n_pairs`, none twice; fewer where there are no more.
    """
    rng = np.random.default_rng(seed)
    piles = [_pile(items, grades, n_pairs, rng) for grades in ((0, 2), (0, 1), (1, 2))]
    return in_turns(piles, n_pairs)


def in_turns(piles: Sequence[Sequence[Pair]], n_pairs: int) -> list[Pair]:
    """Take from each pile in turn until there are enough or all are empty."""
    left = [list(pile) for pile in piles if pile]
    taken: list[Pair] = []
    for pile in cycle(left):
        if len(taken) >= n_pairs or not any(left):
            break
        if pile:
            taken.append(pile.pop())
    return taken


def _pile(
    items: Sequence[Item], grades: tuple[int, int], n_most: int, rng: Generator
) -> list[Pair]:
    """Draw pairs of two grades without writing all of them down: they may be millions."""
    low, high = grades
    organs = sorted({item.organ for item in items})
    sides = [(_graded(items, organ, high), _graded(items, organ, low)) for organ in organs]
    counts = [len(better) * len(worse) for better, worse in sides]
    total = sum(counts)
    starts = np.cumsum([0, *counts])
    pile = []
    for number in rng.choice(total, size=min(n_most, total), replace=False) if total else ():
        organ = int(np.searchsorted(starts, number, side="right")) - 1
        better, worse = sides[organ]
        first, second = divmod(int(number - starts[organ]), len(worse))
        pile.append(
            Pair(better=better[first].id, worse=worse[second].id, kind=CLASSES, gap=high - low)
        )
    return pile


def _graded(items: Sequence[Item], organ: str, grade: int) -> list[Item]:
    return [item for item in items if item.organ == organ and item.grade == grade]
