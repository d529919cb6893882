"""Spectra of simulated flow: streamlines through a sample volume, by short-time Fourier transform.

Each streamline moves with a share of the fastest velocity and returns a narrow-band echo whose
amplitude wanders as cells come and go; broadening, speckle and aliasing then come by themselves.
Velocities are in parts of the largest that does not alias. Everything is drawn from the generator.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image

from sonoquality.arrays import Floats, UnitImage

Waveform = Callable[[Floats, Generator], Floats]
N_STREAMLINES = 24


def spectrum(size: tuple[int, int], rng: Generator) -> tuple[UnitImage, float]:
    """Draw a spectrum.

    Args:
        size: (height, width) in pixels.
        rng: of everything.

    Returns:
        (height, width) grey in [0, 1], and the height of zero velocity in parts of it.
    """
    height, width = size
    stretch = float(rng.choice([1.0, 1.5, 2.0, 3.0]))
    n_columns = max(40, int(width / stretch))
    n_bins = int(rng.choice([64, 128, 192, 256]))
    hop = int(rng.integers(8, 25))
    n_samples = n_columns * hop + n_bins
    time = np.linspace(0.0, rng.uniform(1.5, 10.0), n_samples)
    signal = _flow(time, rng)
    if rng.random() < 0.25:
        signal = signal + _flow(time, rng) * rng.uniform(0.2, 1.0)
    power = _power(signal, n_bins, hop, n_columns, rng)
    turned = bool(rng.random() < 0.5)
    shift = rng.uniform(-0.42, 0.42) if rng.random() < 0.8 else 0.0
    power = np.roll(power[::-1] if turned else power, round(shift * n_bins), axis=0)
    grey = _shown(power, rng)
    how = Image.Resampling.NEAREST if rng.random() < 0.2 else Image.Resampling.BILINEAR
    resized = Image.fromarray(grey).resize((width, height), how)
    return np.asarray(resized, dtype=np.float32), 0.5 + shift


def _flow(time: Floats, rng: Generator) -> Floats:
    """Return the complex echoes (sample,) of one vessel, jet or wall."""
    name = str(rng.choice(list(WAVEFORMS), p=_SHARES))
    wave = WAVEFORMS[name](_uneven(time, rng), rng)
    strongest = max(1e-3, float(np.abs(wave).max()))
    speed = rng.uniform(0.25, 0.95) if rng.random() < 0.85 else rng.uniform(1.0, 1.7)
    velocity = wave / strongest * speed * rng.choice([-1.0, 1.0])
    blunt = 60.0 if name == "tissue" else float(np.exp(rng.uniform(np.log(1.6), np.log(14.0))))
    radius = (np.arange(N_STREAMLINES) + rng.random(N_STREAMLINES)) / N_STREAMLINES
    share = 1.0 - radius**blunt
    weight = np.sqrt(radius) * rng.uniform(0.5, 1.0, N_STREAMLINES)
    jitter = rng.normal(0.0, rng.uniform(0.0, 0.06), (N_STREAMLINES, 1))
    if rng.random() < 0.15:  # a jet that fills all velocities up to its fastest
        share = rng.random(N_STREAMLINES)
    turns = np.cumsum(np.pi * (share[:, None] * velocity * (1.0 + jitter)), axis=1)
    echoes = (_wandering(len(time), rng) * weight[:, None]) * np.exp(1j * turns)
    loud = 1.0 + rng.uniform(0.0, 0.9) * np.sin(2 * np.pi * time * rng.uniform(0.1, 0.5))
    return np.asarray(echoes.sum(axis=0) * loud)


def _wandering(n_samples: int, rng: Generator) -> Floats:
    """Return (streamline, sample) complex amplitudes of unit power that wander."""
    coherent = rng.uniform(10.0, 40.0)  # samples between two independent amplitudes
    n_knots = int(n_samples / coherent) + 2
    real, imaginary = rng.standard_normal((2, N_STREAMLINES, n_knots))
    knots = (real + 1j * imaginary) / np.sqrt(2 * N_STREAMLINES)
    at = np.arange(n_samples) / coherent
    low, part = at.astype(np.intp), at - np.floor(at)
    return np.asarray(knots[:, low] * (1 - part) + knots[:, low + 1] * part)


def _power(signal: Floats, n_bins: int, hop: int, n_columns: int, rng: Generator) -> Floats:
    """Return (velocity, column) power, fastest towards the probe on top, wall and noise added."""
    level = np.sqrt(np.mean(np.abs(signal) ** 2)) + 1e-6
    noise = rng.standard_normal((2, len(signal)))
    quiet_db = rng.uniform(-45.0, -22.0) if rng.random() < 0.7 else rng.uniform(-22.0, -4.0)
    noisy = signal / level + (noise[0] + 1j * noise[1]) * 10 ** (quiet_db / 20)
    taken = np.arange(n_columns)[:, None] * hop + np.arange(n_bins)
    taper = np.hanning(n_bins) if rng.random() < 0.7 else np.hamming(n_bins)
    spectra = np.fft.fftshift(np.fft.fft(noisy[taken] * taper, axis=1), axes=1)
    power = np.abs(spectra[:, ::-1].T) ** 2 / np.sum(taper**2)
    velocity = np.abs(np.linspace(-1.0, 1.0, n_bins))[:, None]
    if rng.random() < 0.3:  # a wall that the filter lets through
        beats = 0.5 + 0.5 * np.sin(np.linspace(0, rng.uniform(4, 60), n_columns))
        wall = np.exp(-((velocity / rng.uniform(0.02, 0.08)) ** 2)) * beats
        power = power + wall * rng.exponential(1.0, power.shape) * 10 ** rng.uniform(-1.0, 1.5)
    if rng.random() < 0.75:
        power = power * (1.0 - np.exp(-((velocity / rng.uniform(0.008, 0.09)) ** 4)))
    if rng.random() < 0.15:  # the mirror that a strong gain shows
        power = power + power[::-1] * 10 ** rng.uniform(-2.5, -0.8)
    return np.asarray(power)


def _shown(power: Floats, rng: Generator) -> UnitImage:
    """Return the power as grey in [0, 1]: smoothed, compressed, with a grey map."""
    if rng.random() < 0.5:
        power = (power + np.roll(power, 1, axis=1)) / 2
    if rng.random() < 0.3:
        power = (power + np.roll(power, 1, axis=0)) / 2
    decibels = 10 * np.log10(power + 1e-9)
    top = np.percentile(decibels, rng.uniform(96.0, 99.8))
    grey = np.clip(1.0 + (decibels - top) / rng.uniform(18.0, 55.0), 0.0, 1.0)
    grey = grey ** rng.uniform(0.6, 1.8) * rng.uniform(0.45, 1.0)
    return np.asarray(grey, dtype=np.float32)


def _uneven(time: Floats, rng: Generator) -> Floats:
    """Return phases in beats: a rate, and how it wavers."""
    rate = rng.uniform(0.7, 2.6)
    waver = rng.uniform(0.0, 0.12) * np.sin(2 * np.pi * time * rng.uniform(0.1, 0.4))
    return np.asarray(time * rate + waver + rng.random())


def _bump(phase: Floats, at: float, width: float) -> Floats:
    """Return a wave of height 1 that comes once a beat."""
    apart = (phase - at + 0.5) % 1.0 - 0.5
    return np.asarray(np.exp(-((apart / width) ** 2)))


def arterial(phase: Floats, rng: Generator) -> Floats:
    """Return a fast rise, a slow fall, and a notch or back flow."""
    within, rise = phase % 1.0, rng.uniform(0.05, 0.16)
    fall = np.exp(-(within - rise) / rng.uniform(0.07, 0.5))
    pulse = np.where(within < rise, np.sin(within / rise * np.pi / 2) ** 2, fall)
    notch = rng.uniform(-0.1, 0.5) * _bump(phase, rise + rng.uniform(0.12, 0.3), 0.05)
    return np.asarray(rng.uniform(0.0, 0.8) + pulse - notch)


def venous(phase: Floats, rng: Generator) -> Floats:
    """Return flow that comes with the breath, and a little with the heart."""
    breath = rng.uniform(0.0, 0.6) * np.sin(phase * rng.uniform(0.8, 2.0))
    atrium = rng.uniform(0.0, 0.7) * _bump(phase, 0.5, rng.uniform(0.06, 0.2))
    return np.asarray(0.7 + breath - atrium)


def steady(phase: Floats, rng: Generator) -> Floats:
    """Return flow that hardly changes."""
    return np.asarray(1.0 + rng.uniform(0.0, 0.15) * np.sin(phase * rng.uniform(0.3, 6.0)))


def chambers(phase: Floats, rng: Generator) -> Floats:
    """Return two to five waves a beat to either side, as through valves."""
    waves = np.zeros_like(phase)
    for _ in range(int(rng.integers(2, 6))):
        height = rng.uniform(0.3, 1.0) * rng.choice([-1.0, 1.0], p=[0.35, 0.65])
        waves += height * _bump(phase, float(rng.random()), rng.uniform(0.03, 0.14))
    return waves


def ejection(phase: Floats, rng: Generator) -> Floats:
    """Return one rounded wave a beat and nothing between."""
    within = phase % 1.0 / rng.uniform(0.3, 0.7)
    return np.asarray(np.sin(np.pi * np.clip(within, 0.0, 1.0)) ** rng.uniform(0.5, 2.0))


def anything(phase: Floats, rng: Generator) -> Floats:
    """Return any periodic wave: a few harmonics."""
    waves = rng.uniform(-0.5, 1.0) * np.ones_like(phase)
    for n in range(1, 6):
        waves = waves + rng.normal(0, 1 / n) * np.sin(2 * np.pi * n * phase + rng.uniform(0, 6))
    return np.asarray(waves)


WAVEFORMS: dict[str, Waveform] = {
    "arterial": arterial,
    "venous": venous,
    "steady": steady,
    "chambers": chambers,
    "tissue": chambers,
    "ejection": ejection,
    "anything": anything,
}
_SHARES: Sequence[float] = (0.3, 0.15, 0.08, 0.17, 0.08, 0.1, 0.12)
