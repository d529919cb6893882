"""Operators of the front panel: gain, time-gain compensation, dynamic range."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator

from sonoquality.arrays import Floats, UnitImage
from sonoquality.degrade.scene import DISPLAY_RANGE_DB, Scene, shift_db

N_SLIDERS = 8  #: knots of the time-gain compensation, as on most carts


def gain(scene: Scene, gain_db: float, _rng: Generator) -> UnitImage:
    """Shift the grey of the whole scan by a wrong overall gain (SCIENCE 7.1, 7.3: y + g / DR)."""
    return shift_db(scene.image, gain_db)


def _sliders(slider_db: float, rng: Generator) -> Floats:
    """Draw the eight errors in dB, skin first; the largest is `slider_db`."""
    sliders = rng.uniform(-1, 1, N_SLIDERS)
    sliders *= slider_db / np.abs(sliders).max()
    return sliders


def time_gain(scene: Scene, slider_db: float, rng: Generator) -> UnitImage:
    """Set eight depth sliders wrongly, the worst of them by `slider_db` (SCIENCE 7.3)."""
    curve = PchipInterpolator(np.linspace(0, 1, N_SLIDERS), _sliders(slider_db, rng))
    return shift_db(scene.image, np.asarray(curve(np.clip(scene.geometry.depth, 0, 1)), np.float32))


def time_gain_drawn(_scene: Scene, slider_db: float, rng: Generator) -> Mapping[str, float]:
    """The errors of the sliders, skin first."""
    return {f"slider_{i}_db": float(db) for i, db in enumerate(_sliders(slider_db, rng), 1)}


def display_range(scene: Scene, range_db: float, _rng: Generator) -> UnitImage:
    """Show only the top `range_db` of 60 dB (SCIENCE 7.3: clip(1 + (y - 1) DR / p))."""
    shown: UnitImage = 1 + (scene.image - 1) * np.float32(DISPLAY_RANGE_DB / range_db)
    return np.clip(shown, 0, 1)
