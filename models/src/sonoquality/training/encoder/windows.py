"""What the encoder sees at each step: windows of a ladder, cut and turned alike on all rungs.

A step's windows depend on the seed and the step's number alone, so a run resumed at any step sees
what an unbroken one would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sonoquality.arrays import Floats, Mask
from sonoquality.degrade.scene import DISPLAY_RANGE_DB
from sonoquality.preprocess import LEAST_MASK, WINDOW
from sonoquality.training.data import Row
from sonoquality.training.encoder.bank import TRAINED, BankRecipe, Ladder, Pages, ladders_of

RUNGS = 3  #: clean, lower level, higher level
TRIES = 8  #: places drawn for a window until half of it lies in the mask
TOKEN = 16
Corner = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Windows of n ladders."""

    pixels: NDArray[np.float32]  #: (n, 3, 224, 224) in [0, 1]
    inside: Mask  #: (n, 14, 14): tokens that lie half in the scan mask
    levels: Floats  #: (n, 3, operator): level of every fault in parts of the highest, 0 to 1


class Sampler:
    """Windows by step."""

    def __init__(
        self,
        rows: Sequence[Row],
        folder: Path,
        recipe: BankRecipe,
        *,
        seed: int,
        gain_db: float,
        without: Sequence[str] = (),
    ) -> None:
        """Draw from the rounds of a bank, but for the images of some sources."""
        self._seed, self._gain_db = seed, gain_db
        self._clean = Pages(folder, -1)
        self._folder, self._rounds = folder, dict[int, Pages]()
        self._ladders = [ladders_of(rows, number, recipe) for number in range(recipe.n_rounds)]
        self._kept = np.flatnonzero([row.source not in without for row in rows])

    @property
    def n_ladders(self) -> int:
        """Ladders that are drawn from."""
        return len(self._ladders) * len(self._kept)

    def batch(self, step: int, n_ladders: int) -> Batch:
        """Return the windows of a step.

        Round follows round, shuffled within: every ladder comes once before any comes again.
        """
        found = [
            self._windows(self._at(step * n_ladders + k), np.random.default_rng([*key, k]))
            for key in [(self._seed, 1, step)]
            for k in range(n_ladders)
        ]
        return Batch(
            pixels=np.stack([pixels for pixels, _, _ in found]),
            inside=np.stack([inside for _, inside, _ in found]),
            levels=np.stack([levels for _, _, levels in found]),
        )

    def _at(self, count: int) -> tuple[Pages, int, Ladder]:
        turn, place = divmod(count, len(self._kept))
        number = turn % len(self._ladders)
        order = np.random.default_rng([self._seed, 0, turn]).permutation(self._kept)
        image = int(order[place])
        return self._round(number), image, self._ladders[number][image]

    def _round(self, number: int) -> Pages:
        if number not in self._rounds:
            self._rounds[number] = Pages(self._folder, number)
        return self._rounds[number]

    def _windows(
        self, entry: tuple[Pages, int, Ladder], rng: Generator
    ) -> tuple[NDArray[np.float32], Mask, Floats]:
        pages, place, ladder = entry
        mask = self._clean[2 * ladder.image + 1]
        top, left = corner_of(mask, rng)
        cut = (slice(top, top + WINDOW), slice(left, left + WINDOW))
        rungs = (self._clean[2 * ladder.image], pages[2 * place], pages[2 * place + 1])
        pixels = np.stack([rung[cut] for rung in rungs]).astype(np.float32) / np.float32(255)
        inside = tokens_inside(mask[cut])
        if rng.random() < 0.5:
            pixels, inside = pixels[..., ::-1], inside[..., ::-1]
        shift = rng.uniform(-self._gain_db, self._gain_db) / DISPLAY_RANGE_DB
        jittered = np.clip(pixels + np.float32(shift), 0, 1)
        scan = np.repeat(np.repeat(inside, TOKEN, axis=0), TOKEN, axis=1)
        return np.where(scan, jittered, pixels), inside, _levels(ladder)


def corner_of(mask: NDArray[np.uint8], rng: Generator) -> Corner:
    """Draw a place for a window; of all tried the fullest, unless one lies half in the mask."""
    best, fullest = -1.0, (0, 0)
    for _ in range(TRIES):
        top, left = (int(rng.integers(side - WINDOW + 1)) for side in mask.shape)
        share = float(mask[top : top + WINDOW, left : left + WINDOW].mean())
        if share >= LEAST_MASK:
            return top, left
        if share > best:
            best, fullest = share, (top, left)
    return fullest


def tokens_inside(mask: NDArray[np.uint8]) -> Mask:
    """Return (14, 14): tokens of a window's mask (224, 224) at least half of which counts."""
    side = WINDOW // TOKEN
    share = mask.reshape(side, TOKEN, side, TOKEN).mean(axis=(1, 3))
    inside: Mask = share >= LEAST_MASK
    return inside


def _levels(ladder: Ladder) -> Floats:
    levels = np.zeros((RUNGS, len(TRAINED)))
    for rung in range(2):
        for operator, level in ladder.labels(rung).items():
            levels[rung + 1, TRAINED.index(operator)] = level / 5
    return levels
