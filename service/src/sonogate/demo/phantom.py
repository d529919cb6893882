"""Our own ultrasound phantom: speckle from scatterers, faults where physics puts them.

Scatterers are complex Gaussian, blurred by a pulse and a beam that is narrowest at the focus;
echoes of a few independent looks are averaged (spatial compounding), log-compressed to 60 dB and
scan-converted. Faults act on amplitudes or dB in beam space, before that, as they do in a scanner.
Everything is determined by the seed.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from sonogate.demo.probe import N_LINES, N_SAMPLES, Float, Probe
from sonogate.demo.tissue import Tissue, ripple
from sonogate.demo.views import View

RANGE_DB = 60.0
N_LOOKS = 3

Complex = NDArray[np.complex128]


class Fault(StrEnum):
    """What can be wrong with a picture."""

    NONE = "none"
    LOW_GAIN = "low_gain"
    POOR_CONTACT = "poor_contact"
    NO_CONTACT = "no_contact"
    BLUR = "blur"
    NOISE = "noise"
    ATTENUATED = "attenuated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan without its screen."""

    picture: NDArray[np.uint8]  #: (height, width); black outside the scan
    cm_per_pixel: float


def make_scan(
    view: View, *, seed: int, fault: Fault = Fault.NONE, phase: float = 0.0, height: int = 460
) -> Scan:
    """Draw one picture of a view."""
    rng = np.random.default_rng(seed)
    tissue = Tissue(view.probe, rng)
    view.draw(tissue, phase)
    if fault is Fault.NO_CONTACT:
        tissue.echo_db[:] = -90.0
        tissue.path_db[:] = 0.0
    if fault in (Fault.POOR_CONTACT, Fault.NO_CONTACT):
        _lift_off(tissue, fault, rng)
    level_db = tissue.echo_db + tissue.path_db + _path_of(fault) + _unevenness(rng)
    grey = np.clip(1.0 + _echoes_db(view.probe, level_db, fault, rng) / RANGE_DB, 0.0, 1.0)
    picture, cm = view.probe.to_picture(grey, height)
    return Scan(picture=(picture * 255.0).round().astype(np.uint8), cm_per_pixel=cm)


def _unevenness(rng: np.random.Generator) -> Float:
    """Return what even a good picture has: fine structure, uneven gain, darker edges and depth."""
    shape = (N_SAMPLES, N_LINES)
    fine = ripple(rng, shape, (3.0, 2.0)) * 2.2
    broad = ripple(rng, shape, (60.0, 22.0)) * 1.8
    edge = -7.0 * np.abs(np.linspace(-1.0, 1.0, N_LINES))[None, :] ** 6
    depth = -5.0 * np.linspace(0.0, 1.0, N_SAMPLES)[:, None] ** 1.5
    return np.asarray(fine + broad + edge + depth - 5.0)


def _lift_off(tissue: Tissue, fault: Fault, rng: np.random.Generator) -> None:
    """Take the probe off the skin: no echo comes back but the probe's own ringing."""
    line = np.linspace(0.0, 1.0, N_LINES)
    edge = 1.0 if fault is Fault.NO_CONTACT else 0.36 + 0.02 * rng.standard_normal()
    lifted = 1.0 / (1.0 + np.exp((line - edge - (fault is Fault.NO_CONTACT)) / 0.012))
    depth = np.linspace(0.0, 1.0, N_SAMPLES)
    ringing = -8.0 - 520.0 * depth + 9.0 * np.cos(2 * np.pi * depth / 0.021)
    tissue.path_db -= 70.0 * lifted[None, :]
    echo_db = np.broadcast_to(ringing[:, None], tissue.echo_db.shape)
    bare = lifted[None, :] > 0.5
    tissue.path_db = np.where(bare & (ringing > -55.0)[:, None], 0.0, tissue.path_db)
    tissue.echo_db = np.where(bare, np.maximum(echo_db, tissue.echo_db - 40.0), tissue.echo_db)


def _path_of(fault: Fault) -> Float:
    """Return what a fault takes from the level, in dB, as (sample, 1)."""
    depth = np.linspace(0.0, 1.0, N_SAMPLES)[:, None]
    if fault is Fault.ATTENUATED:
        return np.asarray(-70.0 * np.clip(depth - 0.12, 0.0, 1.0))
    if fault is Fault.LOW_GAIN:
        return np.asarray(-27.0 + 0.0 * depth)
    return np.zeros_like(depth)


def _echoes_db(probe: Probe, level_db: Float, fault: Fault, rng: np.random.Generator) -> Float:
    amplitude = 10.0 ** (level_db / 20.0)
    energy = np.zeros(level_db.shape)
    for _ in range(1 if fault is Fault.NOISE else N_LOOKS):
        field = _focused(probe, amplitude * _scatterers(rng))
        energy += np.abs(field + _receiver_noise(fault, rng)) ** 2
    energy /= N_LOOKS
    if fault is Fault.BLUR:
        energy = gaussian_filter(energy, (3.5, 9.0))
    return np.asarray(10.0 * np.log10(energy + 1e-12))


def _scatterers(rng: np.random.Generator) -> Complex:
    real, imaginary = rng.standard_normal((2, N_SAMPLES, N_LINES))
    return np.asarray((real + 1j * imaginary) / np.sqrt(2.0))


def _focused(probe: Probe, echoes: Complex) -> Complex:
    """Blur by pulse and beam: narrow at the focus, wider away from it, of constant energy."""
    narrow = _beam(echoes, probe.axial_samples, probe.lateral_lines)
    wide = _beam(echoes, probe.axial_samples, probe.lateral_lines * 2.2)
    away = np.abs(np.linspace(0.0, 1.0, N_SAMPLES) - probe.focus) / max(probe.focus, 0.5)
    share = np.clip(away, 0.0, 1.0)[:, None]
    return np.asarray(narrow * np.sqrt(1.0 - share) + wide * np.sqrt(share))


def _beam(echoes: Complex, axial: float, lateral: float) -> Complex:
    blurred = gaussian_filter1d(gaussian_filter1d(echoes, axial, axis=0), lateral, axis=1)
    return np.asarray(blurred * np.sqrt(4.0 * np.pi * axial * lateral))


def _receiver_noise(fault: Fault, rng: np.random.Generator) -> Complex:
    """Return electronic noise; the time gain lifts it with depth."""
    floor_db = {Fault.NOISE: -30.0, Fault.ATTENUATED: -66.0}.get(fault, -70.0)
    depth = np.linspace(0.0, 1.0, N_SAMPLES)[:, None]
    level = 10.0 ** ((floor_db + 10.0 * depth) / 20.0)
    return level * _beam(_scatterers(rng), 0.7, 0.7)
