"""The bank: degraded copies of the training images, made once, so that training is not starved.

A bank is a folder of rounds. In each round every image gets one operator at two levels (some also a
second operator); after as many rounds as there are operators each image has had them all. A round
depends on its number, the seed and the images alone, so rounds can be made in any order and by any
number of processes.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.preprocess import working_image
from sonoquality.training.data import Row, allowed
from sonoquality.training.held_out import NEVER_TRAINED

TRAINED = tuple(name for name in degrade.OPERATORS if name not in NEVER_TRAINED)
IMAGES_FILE = "images.json"
#: Pairs of neighbouring levels are drawn twice as often: they are the hard ones.
LEVEL_PAIRS = (*combinations(degrade.LEVELS, 2), (1, 2), (2, 3), (3, 4), (4, 5))

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRecipe:
    """What a bank holds."""

    n_rounds: int = len(TRAINED)
    second_share: float = 0.2  #: of the ladders that carry a second fault, equal at both levels
    seed: int = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Two strengths of one fault on one image."""

    image: int  #: its place in the bank's list of images
    operator: str
    levels: tuple[int, int]  #: the lower first
    second: str  #: another fault on both, or empty
    second_level: int
    seed: int

    def labels(self, rung: int) -> dict[str, int]:
        """Return the level of every fault on one of the two copies."""
        found = {self.operator: self.levels[rung]}
        if self.second:
            found[self.second] = self.second_level
        return found


def ladders_of(rows: Sequence[Row], number: int, recipe: BankRecipe) -> list[Ladder]:
    """Draw the ladders of one round; over all rounds an image meets every operator once."""
    found = []
    for place, row in enumerate(rows):
        order = np.random.default_rng([recipe.seed, row.seed]).permutation(len(TRAINED))
        rng = np.random.default_rng([recipe.seed, row.seed, number])
        operator = TRAINED[int(order[number % len(TRAINED)])]
        found.append(_ladder(place, operator, recipe, rng))
    return found


def _ladder(place: int, operator: str, recipe: BankRecipe, rng: Generator) -> Ladder:
    group = degrade.OPERATORS[operator].group
    others = [name for name in TRAINED if degrade.OPERATORS[name].group != group]
    low, high = LEVEL_PAIRS[int(rng.integers(len(LEVEL_PAIRS)))]
    twofold = bool(rng.random() < recipe.second_share)
    return Ladder(
        image=place,
        operator=operator,
        levels=(low, high),
        second=str(rng.choice(others)) if twofold else "",
        second_level=int(rng.integers(1, 4)) if twofold else 0,
        seed=int(rng.integers(2**31)),
    )


def degraded(row: Row, ladder: Ladder) -> list[Luma]:
    """Return both copies of an image, cropped to the scan as at work."""
    luma, mask = row.read()
    image = luma.astype(np.float32) / np.float32(255)
    if ladder.second:
        image = degrade.apply(ladder.second, image, mask, ladder.second_level, ladder.seed)
    copies = [degrade.apply(ladder.operator, image, mask, k, ladder.seed) for k in ladder.levels]
    return [at_work(np.round(copy * 255).astype(np.uint8), mask)[0] for copy in copies]


def at_work(luma: Luma, mask: Mask) -> tuple[Luma, Mask]:
    """Crop to the scan and pad to one window at least, in grey levels."""
    working = working_image(luma, mask)
    return np.round(working.image * 255).astype(np.uint8), working.mask


def build(rows: Sequence[Row], folder: Path, recipe: BankRecipe, progress: Progress) -> None:
    """Make what a bank lacks, one process per core.

    Raises:
        ForbiddenDataError: a row may not be learned from.
        ValueError: the folder holds a bank of other images or another recipe.
    """
    rows = list(allowed(rows))
    _claim(folder, rows, recipe)
    work = [(rows, number, folder, recipe) for number in range(-1, recipe.n_rounds)]
    missing = [each for each in work if not _pixels_file(folder, each[1]).exists()]
    progress("bank", len(work) - len(missing), len(work))
    if not missing:
        return
    with get_context("spawn").Pool() as pool:
        for done, _ in enumerate(pool.imap_unordered(make_round, missing), start=1):
            progress("bank", len(work) - len(missing) + done, len(work))


def _claim(folder: Path, rows: Sequence[Row], recipe: BankRecipe) -> None:
    listed = {
        "recipe": asdict(recipe),
        "images": [row.sha256 for row in rows],
        "operators": TRAINED,
    }
    text = json.dumps(listed, indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / IMAGES_FILE
    if place.exists() and place.read_text(encoding="utf-8") != text:
        raise ValueError(f"{folder} holds a bank of other images or another recipe; name another.")
    place.write_text(text, encoding="utf-8")


def identity(folder: Path) -> str:
    """Return the SHA-256 of a bank's list of images and recipe, on which all else depends."""
    return hashlib.sha256((folder / IMAGES_FILE).read_bytes()).hexdigest()


def _pixels_file(folder: Path, number: int) -> Path:
    return folder / ("clean.npy" if number < 0 else f"round_{number:02d}.npy")


def make_round(work: tuple[Sequence[Row], int, Path, BankRecipe]) -> None:
    """Write one round; number -1 is the images as they are, with their masks."""
    rows, number, folder, recipe = work
    if number < 0:
        parts = [part for row in rows for part in _clean_parts(row)]
    else:
        ladders = ladders_of(rows, number, recipe)
        parts = [part for ladder in ladders for part in degraded(rows[ladder.image], ladder)]
    _write(_pixels_file(folder, number), parts)


def _clean_parts(row: Row) -> tuple[Luma, Luma]:
    image, mask = at_work(*row.read())
    return image, mask.astype(np.uint8)


def _write(place: Path, parts: Sequence[Luma]) -> None:
    """Write arrays of any size one after another; their shapes go beside them."""
    shapes = np.array([part.shape for part in parts], np.int32)
    np.save(place.with_suffix(".shapes.npy"), shapes)
    unfinished = place.with_suffix(".part.npy")
    np.save(unfinished, np.concatenate([part.ravel() for part in parts]))
    unfinished.replace(place)


class Pages:
    """The arrays of one file of a bank, read when asked for."""

    def __init__(self, folder: Path, number: int) -> None:
        place = _pixels_file(folder, number)
        self._pixels: NDArray[np.uint8] = np.load(place, mmap_mode="r")
        self._shapes = np.load(place.with_suffix(".shapes.npy"))
        self._ends = np.cumsum(self._shapes.prod(axis=1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, place: int) -> Luma:
        height, width = self._shapes[place]
        end = int(self._ends[place])
        return self._pixels[end - int(height) * int(width) : end].reshape(height, width)
