"""What a scanner writes over its picture: labels, calipers, frames and boxes of results."""

from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.scene import Scene

LABELS = ("RT KIDNEY LONG", "LIVER TRANS", "GA 21w3d", "DIST 1.23 cm", "MI 0.9 TIs 0.4", "SAG")
#: What is written one after the other until the share is covered; boxes hide most and come late.
TURNS = (*("label", "caliper", "label", "frame", "label", "caliper") * 2, "label", "box")
MAX_TURNS = 400
N_TRIES = 8  #: to find a free place
BOX_GREY = 20
WHITE = 255


@dataclass(frozen=True, slots=True)
class _Paper:
    """Two canvases drawn on at once: what is seen, and where it hides the tissue."""

    seen: ImageDraw.ImageDraw
    hides: ImageDraw.ImageDraw
    size: int  #: of the letters, px

    def text(self, at: tuple[float, float], words: str) -> None:
        self.seen.text(at, words, fill=WHITE, font_size=self.size)
        self.hides.text(at, words, fill=1, font_size=self.size)

    def line(self, ends: tuple[float, float, float, float], width: int = 1) -> None:
        self.seen.line(ends, fill=WHITE, width=width)
        self.hides.line(ends, fill=1, width=width)

    def frame(self, corners: tuple[float, float, float, float]) -> None:
        self.seen.rectangle(corners, outline=WHITE)
        self.hides.rectangle(corners, outline=1)

    def block(self, corners: tuple[float, float, float, float]) -> None:
        self.seen.rectangle(corners, fill=BOX_GREY)
        self.hides.rectangle(corners, fill=1)


def _caliper(paper: _Paper, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Two crosses joined by a dotted line."""
    arm = paper.size / 2
    for x, y in (start, end):
        paper.line((x - arm, y, x + arm, y))
        paper.line((x, y - arm, x, y + arm))
    n_dots = max(2, int(np.hypot(end[0] - start[0], end[1] - start[1]) / 5))
    for share in np.linspace(0, 1, n_dots):
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        paper.line((x, y, x + 1, y))


def _box(paper: _Paper, at: tuple[float, float], rng: Generator) -> None:
    """A dark box with two results."""
    left, top = at
    paper.block((left, top, left + 6 * paper.size, top + 2.6 * paper.size))
    for row in range(2):
        words = f"{row + 1} D {rng.uniform(5, 90):.1f} mm"
        paper.text((left + 0.3 * paper.size, top + (0.1 + 1.15 * row) * paper.size), words)


def _write(kind: str, paper: _Paper, at: tuple[float, float], rng: Generator) -> None:
    away = tuple(c + float(rng.uniform(-9, 9)) * paper.size for c in at)
    if kind == "caliper":
        _caliper(paper, at, (away[0], away[1]))
    elif kind == "frame":
        paper.frame((*at, at[0] + rng.uniform(4, 9) * paper.size, at[1] + 6 * paper.size))
    elif kind == "box":
        _box(paper, at, rng)
    else:
        paper.text(at, LABELS[int(rng.integers(len(LABELS)))])


def _overlays(scene: Scene, share: float, rng: Generator) -> tuple[UnitImage, Mask]:
    """Write until `share` of the scan is hidden; returns what is seen, and what is hidden."""
    height, width = scene.scan_mask.shape
    seen, hides = Image.new("L", (width, height)), Image.new("1", (width, height))
    paper = _Paper(ImageDraw.Draw(seen), ImageDraw.Draw(hides), max(7, round(height / 34)))
    paper.seen.fontmode = "1"
    places = np.argwhere(scene.scan_mask)
    covered = np.zeros_like(scene.scan_mask)
    for kind, _ in zip(cycle(TURNS), range(MAX_TURNS), strict=False):
        _write(kind, paper, _free_place(places, covered, paper.size, rng), rng)
        covered = np.asarray(hides, np.bool_) & scene.scan_mask
        if covered.sum() >= share * len(places):
            break
    return np.asarray(seen, np.float32) / np.float32(WHITE), covered


def _free_place(
    places: NDArray[np.intp], covered: Mask, size: int, rng: Generator
) -> tuple[float, float]:
    """Draw the (column, row) of a corner with nothing written to its right, if there is one."""
    for row, col in places[rng.integers(len(places), size=N_TRIES)]:
        if not covered[row : row + 3 * size, col : col + 6 * size].any():
            break
    return float(col), float(row)


def annotations(scene: Scene, share: float, rng: Generator) -> UnitImage:
    """Hide `share` of the scan below labels, calipers, frames and boxes (SCIENCE 7.3).

    Overlays are masked before scoring: a score must not move with it.
    """
    seen, covered = _overlays(scene, share, rng)
    return np.where(covered, seen, scene.image)


def annotations_area(scene: Scene, share: float, rng: Generator) -> Mask:
    """Pixels that are hidden."""
    return _overlays(scene, share, rng)[1]
