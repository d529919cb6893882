"""M-mode traces for `other_screens`: a line of scatterers between walls that move."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d

Float = NDArray[np.float64]
Grey = NDArray[np.uint8]
Size = tuple[int, int]

MOTIONS = ("wall", "sliding", "barcode", "little_blood", "no_still_layer", "annulus")


def motion(kind: str, size: Size, rng: np.random.Generator) -> Grey:
    """Return an M-mode trace (height, width) of one of MOTIONS."""
    n_depths = int(rng.integers(300, 520))
    n_lines = max(80, size[1] // int(rng.integers(1, 5)))
    walls, moves, level, renewed = BODIES[kind](n_lines, rng)
    depth = np.arange(n_depths)[:, None] / n_depths
    rows = np.empty((n_depths, n_lines))
    for line in range(n_lines):  # where each depth lay at rest: piecewise linear between walls
        rows[:, line] = np.interp(depth[:, 0], walls + moves[:, line], walls)
    rng_still = rng.standard_normal((2, 2 * n_depths + 2))
    at = np.clip(rows * n_depths + n_depths / 2, 0, 2 * n_depths - 1)
    low = at.astype(np.intp)
    part = at - low
    field = sum(
        w * (line[low] * (1 - part) + line[low + 1] * part)
        for w, line in zip((1, 1j), rng_still, strict=True)
    )
    fresh = rng.standard_normal((2, n_depths, n_lines))
    new = np.clip(renewed(rows), 0, 1)
    field = field * np.sqrt(1 - new) + (fresh[0] + 1j * fresh[1]) * np.sqrt(new)
    field = field * 10 ** (level(rows) / 20)
    noise = rng.standard_normal((2, n_depths, n_lines)) * 10 ** (rng.uniform(-52, -40) / 20)
    field = gaussian_filter1d(field + noise[0] + 1j * noise[1], rng.uniform(0.8, 1.6), axis=0)
    db = 20 * np.log10(np.abs(field) + 1e-5)
    shown = np.clip(1 + (db - np.percentile(db, 99.7)) / rng.uniform(42, 62), 0, 1)
    way = Image.Resampling.BILINEAR if rng.random() < 0.7 else Image.Resampling.NEAREST
    grey = Image.fromarray((250 * shown).astype(np.uint8))
    return np.asarray(grey.resize((size[1], size[0]), way))


Level = Callable[[Float], Float]
Tract = tuple[Float, Float, Level, Level]


def _sheets(rows: Float, depths: Float, peak_db: float, ground: Float) -> Float:
    level = ground
    for depth in depths:
        level = np.maximum(level, peak_db - 8 * ((rows - depth) / 0.006) ** 2)
    return level


def _cycle(n_lines: int, rng: np.random.Generator) -> Float:
    """Return a smooth motion in [0, 1] with a fast and a slow part in each beat."""
    phase = (np.linspace(0, rng.uniform(2.5, 8), n_lines) + rng.uniform()) % 1
    rise = np.where(phase < 0.35, np.sin(phase / 0.35 * np.pi / 2) ** 2, 0)
    fall = np.where(phase >= 0.35, np.cos((phase - 0.35) / 0.65 * np.pi / 2) ** 2, 0)
    return np.asarray(gaussian_filter1d(rise + fall, n_lines / 200))


def _vessel(n_lines: int, rng: np.random.Generator, *, lumen: float, still: bool) -> Tract:
    near = rng.uniform(0.3, 0.42)
    walls = np.array([-0.5, 0.0, near - 0.12, near, near + lumen, near + lumen + 0.15, 1.5])
    beat = _cycle(n_lines, rng)
    slow = np.sin(np.linspace(0, rng.uniform(3, 9), n_lines))
    moves = np.zeros((7, n_lines))
    moves[3], moves[4] = 0.02 * beat + 0.01 * slow, -0.03 * beat - 0.015 * slow
    if not still:
        moves += 0.035 * slow + 0.015 * beat
    sheets = rng.uniform(0.02, near - 0.04, 5)

    def level(rows: Float) -> Float:
        tissue = np.where((rows > near) & (rows < near + lumen), -48.0, -24 - 10 * rows)
        return _sheets(rows, np.array([near, near + lumen, *sheets]), -4.0, tissue)

    def renewed(rows: Float) -> Float:
        return np.where((rows > near + 0.01) & (rows < near + lumen - 0.01), 0.95, 0.03)

    return walls, moves, level, renewed


def _lung(n_lines: int, rng: np.random.Generator, *, sliding: bool) -> Tract:
    pleura = rng.uniform(0.18, 0.36)
    walls = np.array([-0.5, 0.0, pleura, 1.5])
    moves = np.zeros((4, n_lines)) + 0.002 * np.sin(np.linspace(0, 7, n_lines))
    sheets = rng.uniform(0.01, pleura - 0.02, 7)
    echoes = np.array([pleura, *(() if sliding else (2 * pleura, 3 * pleura))])

    def level(rows: Float) -> Float:
        ground = np.where(rows < pleura, -26.0, -18 - 22 * (rows - pleura))
        return _sheets(rows, sheets, -10.0, _sheets(rows, echoes, -3.0, ground))

    def renewed(rows: Float) -> Float:
        return np.where(rows > pleura, 0.95 if sliding else 0.05, 0.03)

    return walls, moves, level, renewed


def _annulus(n_lines: int, rng: np.random.Generator) -> Tract:
    """The ring of a valve that comes and goes by a tenth of the depth."""
    ring = rng.uniform(0.45, 0.6)
    walls = np.array([-0.5, 0.0, 0.12, ring, ring + 0.25, 1.5])
    moves = np.zeros((6, n_lines))
    beat = _cycle(n_lines, rng)
    moves[3], moves[4] = -0.09 * beat, -0.05 * beat
    sheets = np.array([ring, ring + 0.03, *rng.uniform(0.01, 0.12, 3)])

    def level(rows: Float) -> Float:
        ground = np.where(np.abs(rows - ring) < 0.1, -22.0, -34 - 8 * rows)
        return _sheets(rows, sheets, -5.0, ground)

    def renewed(rows: Float) -> Float:
        return np.where(np.abs(rows - ring) < 0.12, 0.03, 0.25)

    return walls, moves, level, renewed


BODIES: Mapping[str, Callable[[int, np.random.Generator], Tract]] = {
    "wall": lambda n, rng: _vessel(n, rng, lumen=rng.uniform(0.15, 0.3), still=True),
    "little_blood": lambda n, rng: _vessel(n, rng, lumen=0.03, still=True),
    "no_still_layer": lambda n, rng: _vessel(n, rng, lumen=0.2, still=False),
    "sliding": lambda n, rng: _lung(n, rng, sliding=True),
    "barcode": lambda n, rng: _lung(n, rng, sliding=False),
    "annulus": _annulus,
}
