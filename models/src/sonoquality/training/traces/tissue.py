"""B-mode scans of simulated speckle, plain and faulty: what must never be taken for a trace.

Real images of the collection show what tissue looks like; these add what it lacks: sectors of
phased probes, skin lines, layers as level as an M-mode trace, a probe in air, interference, black.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter, map_coordinates

from sonoquality.arrays import Floats, UnitImage

Anatomy = Callable[[tuple[int, int], Floats, Generator], Floats]
N_DEPTHS, N_BEAMS = 260, 128


def tissue(size: tuple[int, int], rng: Generator, *, has_vessel: bool = False) -> UnitImage:
    """Draw a B-mode scan: grey (height, width) in [0, 1], black around a sector.

    Args:
        size: (height, width) in px.
        rng: of everything.
        has_vessel: whether a long vessel crosses it from side to side.
    """
    beams = _beams(rng, _crossed_anatomy if has_vessel else None)
    kind = str(rng.choice(["linear", "curved", "phased"], p=[0.5, 0.25, 0.25]))
    depth, beam = _linear(size, rng) if kind == "linear" else _fan(size, kind, rng)
    at = [depth * (N_DEPTHS - 1), beam * (N_BEAMS - 1)]
    return np.asarray(map_coordinates(beams, at, order=1, cval=0.0), dtype=np.float32)


def layered(size: tuple[int, int], rng: Generator) -> UnitImage:
    """Draw a linear scan whose layers and vessels lie as level as those of an M-mode trace."""
    beams = _beams(rng, _level_anatomy)
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width]
    at = [rows / height * (N_DEPTHS - 1), columns / width * (N_BEAMS - 1)]
    return np.asarray(map_coordinates(beams, at, order=1), dtype=np.float32)


def _linear(size: tuple[int, int], rng: Generator) -> tuple[Floats, Floats]:
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width]
    depth, beam = rows / height, columns / width
    if rng.random() < 0.2:  # a trapezoid
        spread = rng.uniform(0.1, 0.4)
        beam = 0.5 + (beam - 0.5) * (1 + spread) / (1 + spread * depth)
    return depth, np.where((beam < 0) | (beam > 1), -1.0, beam)


def _fan(size: tuple[int, int], kind: str, rng: Generator) -> tuple[Floats, Floats]:
    height, width = size
    half = rng.uniform(0.45, 0.8)
    near = 0.02 if kind == "phased" else rng.uniform(0.25, 0.8)
    rows, columns = np.mgrid[0:height, 0:width]
    reach = 1.0 + near * (1 - np.cos(half))
    across = (columns / width - 0.5) * 2 * (1 + near) * np.sin(half)
    down = near * np.cos(half) + rows / height * reach
    depth = np.hypot(across, down) - near
    beam = 0.5 + np.arctan2(across, down) / (2 * half)
    outside = (beam < 0) | (beam > 1) | (depth < 0) | (depth > 1)
    return np.where(outside, -1.0, depth), np.where(outside, -1.0, beam)


def _beams(rng: Generator, anatomy: Anatomy | None = None) -> UnitImage:
    """Return (depth, beam) grey before scan conversion."""
    shape = (N_DEPTHS, N_BEAMS)
    depth = np.linspace(0, 1, N_DEPTHS)[:, None]
    level = (anatomy or _anatomy)(shape, depth, rng)
    fault = str(rng.choice(["none", "air", "lines", "smear", "noise"], p=[0.6, 0.1, 0.1, 0.1, 0.1]))
    if fault == "air":
        level = np.full(shape, -70.0)
    real, imaginary = rng.standard_normal((2, *shape))
    wide = rng.uniform(0.6, 2.5) * (6.0 if fault == "smear" else 1.0)
    grain = (rng.uniform(0.6, 1.6), wide)
    amplitude = np.hypot(gaussian_filter(real, grain), gaussian_filter(imaginary, grain))
    amplitude *= 10 ** (level / 20) / amplitude.mean()
    loud = rng.uniform(-60, -40) if fault != "noise" else rng.uniform(-30, -12)
    noise = rng.rayleigh(1.0, shape) * 10 ** ((loud + rng.uniform(0, 25) * depth) / 20)
    skin = 10 ** (rng.uniform(-10, 4) / 20) * np.exp(-depth / rng.uniform(0.005, 0.05))
    if fault == "air":
        skin = 1.2 * np.exp(-depth / rng.uniform(0.03, 0.2))
        skin = skin * (1 + np.cos(2 * np.pi * depth / rng.uniform(0.015, 0.08))) / 2
    amplitude = amplitude + noise + skin * rng.uniform(0.8, 1.2, (1, N_BEAMS))
    if fault == "lines":
        amplitude = amplitude + _interference(shape, depth, rng)
    grey = 1.0 + 20 * np.log10(amplitude + 1e-5) / rng.uniform(35.0, 65.0)
    return np.asarray(np.clip(grey, 0, 1) ** rng.uniform(0.6, 1.6), dtype=np.float32)


def _anatomy(shape: tuple[int, int], depth: Floats, rng: Generator) -> Floats:
    """Return levels in dB: cysts and organs, layers nearly level, attenuation, shadow."""
    beam = np.linspace(0, 1, N_BEAMS)[None, :]
    level = np.full(shape, rng.uniform(-30, -12))
    level += gaussian_filter(rng.standard_normal(shape), (20, 10)) * rng.uniform(0, 90)
    for _ in range(int(rng.integers(0, 6))):
        apart = ((depth - rng.random()) / rng.uniform(0.03, 0.3)) ** 2
        apart = apart + ((beam - rng.random()) / rng.uniform(0.05, 0.4)) ** 2
        level = np.where(apart < 1, rng.uniform(-60, -8), level)
    for _ in range(int(rng.integers(0, 10))):
        bend = rng.normal(0, 0.04) * np.sin(beam * rng.uniform(0, 5) + rng.uniform(0, 6))
        at = rng.random() + rng.normal(0, 0.03) * (beam - 0.5) + bend
        sheet = rng.uniform(-14, 2) - 9 * ((depth - at) / rng.uniform(0.004, 0.015)) ** 2
        level = np.maximum(level, sheet)
    for _ in range(int(rng.integers(0, 3))):
        beside = np.exp(-(((beam - rng.random()) / rng.uniform(0.02, 0.12)) ** 2))
        level = level - rng.uniform(5, 40) * beside * (depth > rng.random())
    return np.asarray(level - rng.uniform(-5, 35) * depth)


def _level_anatomy(shape: tuple[int, int], depth: Floats, rng: Generator) -> Floats:
    """Return levels in dB: bands of muscle, fascia and vessels with their walls, hardly tilted."""
    beam = np.linspace(0, 1, N_BEAMS)[None, :]
    tilt, bend = rng.normal(0, rng.choice([0.0, 0.01, 0.04], 2))
    along = depth + tilt * (beam - 0.5) + bend * np.sin(3 * beam + rng.uniform(0, 6))
    level = np.full(shape, rng.uniform(-30, -12))
    level += gaussian_filter(rng.standard_normal(shape), (8, 12)) * rng.uniform(0, 60)
    for top in rng.random(int(rng.integers(0, 5))):
        within = (along > top) & (along < top + rng.uniform(0.05, 0.35))
        is_vessel = rng.random() < 0.5
        level = np.where(within, rng.uniform(-70, -45) if is_vessel else level - 8, level)
        wall = rng.uniform(-12, 2) - 9 * ((along - top) / rng.uniform(0.004, 0.012)) ** 2
        level = np.maximum(level, wall)
    for at in rng.random(int(rng.integers(0, 14))):
        sheet = rng.uniform(-16, 2) - 9 * ((along - at) / rng.uniform(0.003, 0.012)) ** 2
        level = np.maximum(level, sheet)
    if rng.random() < 0.5:
        level = _vessel(level, along, rng)
    return np.asarray(level - rng.uniform(-5, 30) * depth)


def _crossed_anatomy(shape: tuple[int, int], depth: Floats, rng: Generator) -> Floats:
    level = _anatomy(shape, depth, rng)
    if rng.random() < 0.7:
        level = _bones(level, depth, rng)
    beam = np.linspace(0, 1, N_BEAMS)[None, :]
    return _vessel(level, depth + rng.normal(0, 0.08) * (beam - 0.5), rng)


def _bones(level: Floats, depth: Floats, rng: Generator) -> Floats:
    """Put a row of ribs or vertebrae in: lit tops that return as often as beats, shadows behind."""
    beam, at = np.linspace(0, 1, N_BEAMS)[None, :], rng.uniform(0.2, 0.95)
    apart, tall, dark = rng.uniform(0.06, 0.3), rng.uniform(0.02, 0.12), rng.uniform(0, 40)
    wide = apart * rng.uniform(0.2, 0.55)
    for middle in np.arange(rng.uniform(0, apart), 1.0, apart):
        across = ((beam - middle) / wide) ** 2
        top = at - tall * np.sqrt(np.clip(1 - across, 0, 1))
        behind = (across < 1) & (depth > top)
        level = np.where(behind, level - dark * np.clip((depth - top) / 0.05, 0, 1), level)
        lit = rng.uniform(-14, 4) - 9 * ((depth - top) / rng.uniform(0.006, 0.03)) ** 2
        level = np.where(across < 1, np.maximum(level, lit), level)
    return level


def _vessel(level: Floats, along: Floats, rng: Generator) -> Floats:
    """Put a long vessel in: a black or hazy lumen from side to side between two lit walls."""
    beam = np.linspace(0, 1, N_BEAMS)[None, :]
    middle = rng.uniform(0.2, 0.8) + rng.normal(0, 0.03) * np.sin(beam * rng.uniform(1, 8))
    radius = rng.uniform(0.03, 0.2) * (1 + rng.uniform(0, 0.15) * np.sin(beam * rng.uniform(1, 12)))
    out = np.abs(along - middle) - radius
    lumen = rng.uniform(-75, -40) + gaussian_filter(rng.standard_normal(level.shape), 6) * 20
    wall = rng.uniform(-10, 4) - 9 * (out / rng.uniform(0.004, 0.015)) ** 2
    return np.asarray(np.maximum(np.where(out < 0, lumen, level), wall))


def _interference(shape: tuple[int, int], depth: Floats, rng: Generator) -> Floats:
    """Return level lines that repeat in depth, or spokes that repeat from beam to beam."""
    loud = 10 ** (rng.uniform(-26, -4) / 20)
    if rng.random() < 0.6:
        comb = np.sin(2 * np.pi * depth * rng.uniform(10, 70)) > rng.uniform(0.2, 0.9)
        return np.asarray(loud * comb * rng.rayleigh(0.8, shape))
    along = np.arange(N_BEAMS)[None, :] * rng.uniform(0.5, 3.0)
    return np.asarray(loud * (np.sin(along + 40 * depth * rng.uniform(0, 3)) > 0.7))
