"""M-mode traces of simulated depth lines: layers that move, blood and lung that are new each line.

One line of scatterers is drawn again and again: depths move with the beat, the breath and the hand;
where blood flows or the lung slides, scatterers are new. Valves are thin sheets that move by
themselves. Everything is drawn from the generator; depths are in parts of the height.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from sonoquality.arrays import Floats, UnitImage

DARK_DB = -60.0


def m_mode(size: tuple[int, int], rng: Generator) -> UnitImage:
    """Draw an M-mode trace.

    Args:
        size: (height, width) in pixels.
        rng: of everything.

    Returns:
        (height, width) grey in [0, 1].
    """
    height, width = size
    n_depths = int(np.clip(height, 120, 320))
    n_lines = int(np.clip(width / rng.choice([1.0, 1.5, 2.0, 3.0, 4.0]), 60, 420))
    time = np.linspace(0.0, rng.uniform(1.5, 9.0), n_lines)
    depth = np.linspace(0.0, 1.0, n_depths)[:, None]
    came_from = depth - _displacement(depth, time, rng)
    level_db, renewed = _body(came_from, depth, time, rng)
    field = _echoes(came_from, renewed, n_depths, rng) * 10 ** (level_db / 20)
    if rng.random() < 0.45:
        field = field + _valves(depth, time, rng)
    grey = _shown(field, depth, rng)
    how = Image.Resampling.NEAREST if rng.random() < 0.35 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).resize((width, height), how), dtype=np.float32)


def _pulse(time: Floats, rng: Generator) -> Floats:
    """Return a periodic movement in [-1, 1]: beats or breath, smooth or abrupt."""
    rate = rng.uniform(0.7, 3.0) if rng.random() < 0.75 else rng.uniform(0.15, 0.4)
    phase = time * rate + rng.random()
    if rng.random() < 0.3:
        return np.asarray(np.sin(2 * np.pi * phase))
    waves = np.zeros_like(phase)
    for _ in range(int(rng.integers(1, 4))):
        apart = (phase - rng.random() + 0.5) % 1.0 - 0.5
        waves += rng.uniform(-1, 1) * np.exp(-((apart / rng.uniform(0.04, 0.25)) ** 2))
    return np.asarray(waves / max(1e-3, np.abs(waves).max()))


def _displacement(depth: Floats, time: Floats, rng: Generator) -> Floats:
    """Return (depth, line): how far echoes have moved, in parts of the height."""
    moved = np.zeros((len(depth), len(time)))
    reach = 0.0 if rng.random() < 0.15 else float(np.exp(rng.uniform(np.log(0.003), np.log(0.09))))
    for _ in range(int(rng.integers(1, 5))):
        where = np.exp(-(((depth - rng.random()) / rng.uniform(0.06, 0.4)) ** 2))
        moved += reach * rng.uniform(-1, 1) * where * _pulse(time, rng)[None, :]
    knots = rng.normal(0.0, 1.0, 8).cumsum() * rng.uniform(0.0, 0.006)
    return np.asarray(moved + np.interp(time, np.linspace(0, time[-1], 8), knots)[None, :])


def _body(came_from: Floats, depth: Floats, time: Floats, rng: Generator) -> tuple[Floats, Floats]:
    """Return (depth, line) levels in dB, and the share of scatterers that are new in each line."""
    fine = np.linspace(-0.2, 1.2, 700)
    level, renewed = np.full(700, DARK_DB), np.zeros(700)
    edges = np.sort(rng.random(int(rng.integers(1, 9))))
    for low, high in zip((-1.0, *edges), (*edges, 2.0), strict=True):
        within = (fine >= low) & (fine < high)
        is_blood = rng.random() < 0.35
        level[within] = rng.uniform(-60, -36) if is_blood else rng.uniform(-34, -10)
        renewed[within] = rng.uniform(0.3, 1.0) if is_blood else rng.uniform(0.0, 0.08)
    for at in rng.random(int(rng.integers(0, 14))):
        sheet = rng.uniform(-16, 2) - 9 * ((fine - at) / rng.uniform(0.003, 0.012)) ** 2
        level = np.maximum(level, sheet)
    seen = np.interp(came_from, fine, level)
    new = np.interp(came_from, fine, renewed)
    if rng.random() < 0.3:
        seen, new = _with_lung(seen, new, depth, time, rng)
    return seen - rng.uniform(-4, 22) * depth, new


def _with_lung(
    level: Floats, renewed: Floats, depth: Floats, time: Floats, rng: Generator
) -> tuple[Floats, Floats]:
    """Put pleura and lung in: it slides, it does not, or it does so for a while."""
    pleura = rng.uniform(0.1, 0.5)
    below = depth > pleura
    veil = rng.uniform(-26, -12) - rng.uniform(0, 25) * (depth - pleura)
    level = np.where(below, veil, level)
    for echo in range(1, int(rng.integers(2, 6))):
        line = rng.uniform(-6, 0) - 7 * echo - 9 * ((depth - echo * pleura) / 0.007) ** 2
        level = np.maximum(level, line + 7)
    slides = np.sin(2 * np.pi * time * rng.uniform(0.1, 0.5) + rng.uniform(0, 6))
    when = np.clip(4 * (slides + rng.choice([-2.0, 0.0, 2.0])) + 0.5, 0.0, 1.0)
    return level, np.where(below, np.maximum(0.02, when[None, :] * 0.97), renewed)


def _complex(shape: tuple[int, ...], rng: Generator) -> Floats:
    real, imaginary = rng.standard_normal((2, *shape))
    return np.asarray((real + 1j * imaginary) / np.sqrt(2.0))


def _echoes(came_from: Floats, renewed: Floats, n_depths: int, rng: Generator) -> Floats:
    """Return (depth, line) complex echoes of unit power."""
    fine = np.linspace(-0.3, 1.3, int(1.6 * n_depths))
    still = _complex(fine.shape, rng)
    kept = np.interp(came_from, fine, still.real) + 1j * np.interp(came_from, fine, still.imag)
    fresh = _complex(came_from.shape, rng)
    drifting = gaussian_filter1d(_complex(came_from.shape, rng), rng.uniform(4, 40), axis=1)
    drifting /= np.sqrt(np.mean(np.abs(drifting) ** 2))
    part = rng.uniform(0.0, 0.6)
    kept = kept * np.sqrt(1 - part) * 1.2 + drifting * np.sqrt(part)
    return np.asarray(kept * np.sqrt(1 - renewed) + fresh * np.sqrt(renewed))


def _valves(depth: Floats, time: Floats, rng: Generator) -> Floats:
    """Return (depth, line) amplitudes of one to three thin leaflets or wires."""
    found = np.zeros((len(depth), len(time)))
    middle, swing = rng.uniform(0.2, 0.8), rng.uniform(0.02, 0.2)
    for _ in range(int(rng.integers(1, 4))):
        at = middle + swing * _pulse(time, rng)
        apart = (depth - at[None, :]) / rng.uniform(0.004, 0.012)
        loud = 10 ** (rng.uniform(-18, -2) / 20) * rng.rayleigh(0.8, len(time))
        found += loud[None, :] * np.exp(-(apart**2))
    return found


def _shown(field: Floats, depth: Floats, rng: Generator) -> UnitImage:
    """Return grey in [0, 1]: noise that grows with depth, a pulse's length, a grey map."""
    noise_db = rng.uniform(-62.0, -34.0) + rng.uniform(0.0, 14.0) * depth
    noisy = field + _complex(field.shape, rng) * 10 ** (noise_db / 20)
    noisy = gaussian_filter1d(noisy, rng.uniform(0.7, 2.4), axis=0)
    if rng.random() < 0.5:
        noisy = gaussian_filter1d(noisy, rng.uniform(0.2, 1.0), axis=1)
    decibels = 20 * np.log10(np.abs(noisy) + 1e-5)
    top = np.percentile(decibels, rng.uniform(97.0, 99.9))
    grey = np.clip(1.0 + (decibels - top) / rng.uniform(28.0, 66.0), 0.0, 1.0)
    return np.asarray(grey ** rng.uniform(0.6, 1.9) * rng.uniform(0.6, 1.0), dtype=np.float32)
