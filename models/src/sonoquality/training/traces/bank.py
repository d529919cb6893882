"""The bank of screens that the net learns from, drawn once and kept beside the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from sonoquality.arrays import Luma, UnitImage
from sonoquality.degrade.ladder import LEVELS, apply
from sonoquality.degrade.operators import OPERATORS
from sonoquality.preprocess import scan_mask
from sonoquality.traces import CELL, LABELS, N_CELLS, SEEN, scale_of, seen_of
from sonoquality.training.data import Row
from sonoquality.training.traces.config import TracesConfig
from sonoquality.training.traces.screens import (
    M_MODE,
    SPECTRUM,
    Screen,
    plain_tissue,
    tissue_screen,
    trace_screen,
)
from sonoquality.training.traces.tissue import layered, tissue

#: Longest side of an image before a fault is put on it: the working scale of the ladder.
WORKING_SIDE = 448
CROPPED_SHARE = 0.2  #: of the collection's images: a part, as if zoomed in
PLAIN_SHARE = 0.5  #: of the screens without a trace: an image alone
#: Of the screens drawn to be mistaken: images that are simulated, and images alone.
SPOILED_DRAWN_SHARE, SPOILED_PLAIN_SHARE = 0.3, 0.7
#: Of the faults put on them: bands of constant depth look most like a trace.
BANDED, BANDED_SHARE = "TGC", 0.3
CROSSED_DEGRADED_SHARE = 0.5
Shares: TypeAlias = NDArray[np.uint8]
Bank: TypeAlias = tuple[NDArray[np.uint8], Shares]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Tissues:
    """Draws B-mode images: of the collection, some of them spoiled, and simulated ones."""

    rows: Sequence[Row]
    config: TracesConfig

    def __call__(self, room: tuple[int, int], rng: Generator) -> Luma:
        """Draw an image that fits into a room of (height, width) px."""
        if rng.random() < self.config.drawn_share or not self.rows:
            wide = min(room[1], int(room[0] * rng.uniform(0.7, 2.0)))
            high = min(room[0], int(wide * 1.4))
            by = max(1.0, max(high, wide) / WORKING_SIDE)
            drawn = tissue((max(8, int(high / by)), max(8, int(wide / by))), rng)
            luma = (drawn * 255).astype(np.uint8)
            if rng.random() < self.config.degraded_share:
                luma = _spoiled(luma, rng)
            return np.asarray(Image.fromarray(luma).resize((wide, high)))
        with Image.open(self.rows[int(rng.integers(len(self.rows)))].path) as file:
            luma = np.asarray(file.convert("L"))
        if rng.random() < self.config.degraded_share:
            luma = _spoiled(luma, rng)
        if rng.random() < CROPPED_SHARE:
            luma = _cropped(luma, rng)
        if rng.random() < 0.5:
            luma = luma[:, ::-1]
        image = Image.fromarray(np.ascontiguousarray(luma))
        scale = min(room[0] / image.height, room[1] / image.width) * rng.uniform(0.75, 1.0)
        sides = (image.width * scale * rng.uniform(0.85, 1.0), image.height * scale)
        return np.asarray(image.resize((max(8, int(sides[0])), max(8, int(sides[1])))))


def _cropped(luma: Luma, rng: Generator) -> Luma:
    sides = [max(8, int(side * rng.uniform(0.3, 0.9))) for side in luma.shape]
    top, left = (
        int(rng.integers(0, n - side + 1)) for n, side in zip(luma.shape, sides, strict=True)
    )
    return luma[top : top + sides[0], left : left + sides[1]]


def _spoiled(luma: Luma, rng: Generator) -> Luma:
    name = BANDED if rng.random() < BANDED_SHARE else str(rng.choice(list(OPERATORS)))
    return spoiled(luma, name, int(rng.choice(LEVELS)), rng)


def spoiled(luma: Luma, name: str, level: int, rng: Generator) -> Luma:
    """Put a fault of the ladder on an image, which may come back smaller."""
    by = -(-max(luma.shape) // WORKING_SIDE)
    few = np.ascontiguousarray(luma[::by, ::by])
    unit = few.astype(np.float32) / np.float32(255)
    changed = apply(name, unit, scan_mask(few), level, int(rng.integers(1 << 31)))
    return np.asarray(changed * 255, dtype=np.uint8)


def draw(tissues: Tissues, number: int) -> Screen:
    """Draw the screen of a number; nothing but it and the seed decides."""
    rng = np.random.default_rng([tissues.config.seed, number])
    if rng.random() < tissues.config.trace_share:
        return trace_screen(SPECTRUM if rng.random() < 0.5 else M_MODE, tissues, rng)
    if rng.random() < PLAIN_SHARE:
        return plain_tissue(tissues, rng)
    return tissue_screen(tissues, rng)


def cells_of(screen: Screen) -> Shares:
    """Return (*N_CELLS, label): which part of each cell shows what, 255 all of it."""
    covered = np.zeros(SEEN, dtype=np.float32)
    if screen.box is not None:
        left, top, right, bottom = (round(at * scale_of(screen.picture.shape)) for at in screen.box)
        covered[top:bottom, left:right] = 255.0
    cells = covered.reshape(N_CELLS[0], CELL, N_CELLS[1], CELL).mean(axis=(1, 3))
    shares = np.zeros((*N_CELLS, len(LABELS)), dtype=np.uint8)
    shares[..., screen.label] = cells
    shares[..., 0] = 255 - cells.astype(np.uint8)
    return shares


def draw_spoiled(tissues: Tissues, number: int) -> Screen:
    """Draw a screen without a trace, most often of an image with a fault."""
    rng = np.random.default_rng([tissues.config.seed, 1, number])
    shares = {"drawn_share": SPOILED_DRAWN_SHARE, "degraded_share": 1.0}
    spoiled = Tissues(tissues.rows, tissues.config.model_copy(update=shares))
    if rng.random() < SPOILED_PLAIN_SHARE:
        return plain_tissue(spoiled, rng)
    return tissue_screen(spoiled, rng)


def draw_layered(config: TracesConfig, number: int) -> Screen:
    """Draw a screen without a trace, of a linear scan with level layers."""
    return _simulated(layered, config, np.random.default_rng([config.seed, 2, number]))


def draw_crossed(config: TracesConfig, number: int) -> Screen:
    """Draw a screen without a trace, of any scan that a long vessel crosses."""
    crossed = partial(tissue, has_vessel=True)
    often = config.model_copy(update={"degraded_share": CROSSED_DEGRADED_SHARE})
    return _simulated(crossed, often, np.random.default_rng([config.seed, 3, number]))


def _simulated(
    scan: Callable[[tuple[int, int], Generator], UnitImage], config: TracesConfig, rng: Generator
) -> Screen:
    """Draw a screen of a simulated scan, some of them with a fault."""

    def fitted(room: tuple[int, int], rng: Generator) -> Luma:
        sides = (room[0], min(room[1], int(room[0] * rng.uniform(0.6, 2.0))))
        small = (scan((sides[0] // 2 + 4, sides[1] // 2 + 4), rng) * 255).astype(np.uint8)
        if rng.random() < config.degraded_share:
            small = _spoiled(small, rng)
        return np.asarray(Image.fromarray(small).resize(sides[::-1]))

    return plain_tissue(fitted, rng) if rng.random() < 0.4 else tissue_screen(fitted, rng)


def make(
    folder: Path, n_screens: int, draw_one: Callable[[int], Screen], progress: Progress
) -> Bank:
    """Draw a bank, or open the one that is there.

    Returns:
        Screens (n, *SEEN) and the labels of their cells, as of `cells_of`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "screens.npy", folder / "cells.npy"
    if not paths[1].exists():
        screens = np.lib.format.open_memmap(paths[0], "w+", np.dtype(np.uint8), (n_screens, *SEEN))
        labels = np.zeros((n_screens, *N_CELLS, len(LABELS)), dtype=np.uint8)
        for number in range(n_screens):
            screen = draw_one(number)
            screens[number], labels[number] = seen_of(screen.picture), cells_of(screen)
            progress(f"drawing {folder.name}", number + 1, n_screens)
        screens.flush()
        np.save(paths[1], labels)
    return np.load(paths[0], mmap_mode="r"), np.load(paths[1])
