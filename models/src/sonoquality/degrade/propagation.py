"""Operators of the sound path: attenuation, shadow, poor contact, reverberation, along the rays."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.scene import (
    DISPLAY_RANGE_DB,
    Scene,
    amplitude,
    compress,
    displaced,
    phase,
    psf_noise,
    shift_db,
    sigmoid,
    strongest,
)

FLOOR_DB, FLOOR_RISE_DB = -62.0, 8.0  #: receiver noise re white at the skin; time gain lifts it
REVERBERATION_PX = 40  #: spacing of the repeated echoes
N_REVERBERATIONS = 5
SHADOW_WIDTH = {
    6.0: 0.06,
    10.0: 0.10,
    16.0: 0.15,
    24.0: 0.22,
    35.0: 0.30,
}  #: by depth of the shadow in dB
EDGE_LIFT_SHARE = 0.7  #: share of poor contacts that begin at an end of the probe


def attenuation(scene: Scene, loss_db: float, rng: Generator) -> UnitImage:
    """Lose `loss_db` linearly down to the deepest point, above a noise floor (SCIENCE 7.3).

    The notes' floor of -50 dB at every depth veils the near field of dark images; ours rises with
    depth to -54 dB, as time gain compensation lifts receiver noise.
    """
    depth = np.clip(scene.geometry.depth, 0, 1.2)
    echo = amplitude(scene.image - np.float32(loss_db / DISPLAY_RANGE_DB) * depth)
    floor = amplitude(1 + (FLOOR_DB + FLOOR_RISE_DB * depth) / DISPLAY_RANGE_DB)
    return compress(echo * phase(scene, rng) + floor * psf_noise(scene, rng))


def _reflector(scene: Scene, rng: Generator) -> tuple[float, float]:
    """Pick the (lateral, depth) of a bright echo in the upper half, away from the scan's ends."""
    geometry = scene.geometry
    smooth = ndimage.gaussian_filter(scene.image, 2)
    usable = scene.scan_mask & (geometry.depth > 0.08) & (geometry.depth < 0.5)
    usable &= (geometry.lateral > 0.15) & (geometry.lateral < 0.85)
    if not usable.any():
        return 0.5, 0.2
    bright = np.flatnonzero(usable & (smooth >= np.percentile(smooth[usable], 97)))
    chosen = int(rng.choice(bright))
    return float(geometry.lateral.flat[chosen]), float(geometry.depth.flat[chosen])


def _shadow_field(scene: Scene, drop_db: float, rng: Generator) -> UnitImage:
    """Share in [0, 1] to which each pixel lies in the shadow."""
    lateral, depth = _reflector(scene, rng)
    geometry = scene.geometry
    half = SHADOW_WIDTH[drop_db] / 2
    across = half - np.abs(geometry.lateral - lateral) * (1 - 0.15 * geometry.depth)
    return sigmoid(across / 0.012) * sigmoid((geometry.depth - depth - 0.02) / 0.02)


def shadow(scene: Scene, drop_db: float, rng: Generator) -> UnitImage:
    """Darken the rays below a bright reflector by `drop_db`, with soft edges (SCIENCE 7.3).

    The shadow begins .02 of the depth below the reflector's middle, so that the reflector stays.
    """
    return shift_db(scene.image, -drop_db * _shadow_field(scene, drop_db, rng))


def shadow_area(scene: Scene, drop_db: float, rng: Generator) -> Mask:
    """Pixels that lie in the shadow by more than half."""
    return scene.scan_mask & (_shadow_field(scene, drop_db, rng) > 0.5)


def shadow_drawn(scene: Scene, drop_db: float, rng: Generator) -> Mapping[str, float]:
    """Where the reflector is, and the shadow's width at the skin, as shares of the scan."""
    lateral, depth = _reflector(scene, rng)
    return {"lateral": lateral, "depth": depth, "width": SHADOW_WIDTH[drop_db]}


def _lifted(share: float, rng: Generator) -> tuple[float, float]:
    """Draw centre and half width of the lines without contact."""
    at_end, side, place = rng.random() < EDGE_LIFT_SHARE, rng.random() < 0.5, rng.uniform(0.3, 0.7)
    return (0.0 if side else 1.0, share) if at_end else (float(place), share / 2)


def poor_contact_drawn(_scene: Scene, share: float, rng: Generator) -> Mapping[str, float]:
    """Centre and half width of the lines without contact, as shares of the scan's width."""
    centre, half = _lifted(share, rng)
    return {"centre": centre, "half_width": half}


def _contact_field(scene: Scene, share: float, rng: Generator) -> UnitImage:
    centre, half = _lifted(share, rng)
    across = half - np.abs(scene.geometry.lateral - centre)
    return np.where(scene.geometry.depth > 0.02, sigmoid(across / 0.01), np.float32(0)).astype(
        np.float32
    )


def poor_contact(scene: Scene, share: float, rng: Generator) -> UnitImage:
    """Darken a share p of neighbouring lines from the skin down by 20 + 30 p dB (SCIENCE 7.3).

    Mostly at an end of the probe, where it lifts off the skin first.
    """
    return shift_db(scene.image, -(20 + 30 * share) * _contact_field(scene, share, rng))


def poor_contact_area(scene: Scene, share: float, rng: Generator) -> Mask:
    """Pixels of the lines that lost their echoes."""
    return scene.scan_mask & (_contact_field(scene, share, rng) > 0.5)


def reverberation(scene: Scene, ratio: float, rng: Generator) -> UnitImage:
    """Repeat the strongest echoes every 40 px, each `ratio` times the last (SCIENCE 7.3)."""
    strong = strongest(scene, 97, 1.0)
    total = amplitude(scene.image) * phase(scene, rng)
    for order in range(1, N_REVERBERATIONS + 1):
        repeat = displaced(strong, scene, -order * REVERBERATION_PX)
        total = total + np.float32(ratio**order) * repeat * phase(scene, rng)
    return compress(total)
