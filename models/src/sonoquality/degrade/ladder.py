"""The table of operators with their five strengths, and the functions that use it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade import clutter, display, focus, gain, propagation
from sonoquality.degrade.scene import Scene
from sonoquality.geometry import geometry_of

LEVELS = (1, 2, 3, 4, 5)
LEVEL_WEIGHTS = (0.0, 0.10, 0.25, 0.45, 0.70, 0.90)  #: d of level 0 to 5 (SCIENCE 7.4)

Group = Literal["panel", "path", "clutter", "focus", "display"]
Strengths = tuple[float, float, float, float, float]
Change = Callable[[Scene, float, Generator], UnitImage]
Area = Callable[[Scene, float, Generator], Mask]


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of fault at five strengths (SCIENCE 7.3, 7.4; deviations: see the function)."""

    group: Group  #: faults put on one image together come from different groups
    sign: str  #: what a sonographer sees
    parameters: Strengths  #: of level 1 to 5
    unit: str  #: of the parameters
    weight: float  #: how much of the quality its levels can cost (SCIENCE 7.4)

    source = "SCIENCE 7.3 and 7.4, 60 dB display range"


OPERATORS: Mapping[str, Operator] = {
    "G-": Operator("panel", "black image, soft tissue lost", (-6, -10, -15, -20, -28), "dB", 0.6),
    "G+": Operator("panel", "saturation, cysts filled in", (6, 10, 15, 20, 28), "dB", 0.6),
    "TGC": Operator("panel", "bands at constant depth", (4, 8, 12, 18, 24), "dB", 0.5),
    "DYR": Operator("panel", "hard contrast, greys lost", (48, 38, 30, 22, 15), "dB shown", 0.6),
    "ATT": Operator("path", "poor penetration", (6, 12, 20, 30, 40), "dB at the bottom", 0.8),
    "SHA": Operator("path", "dark rays below a reflector", (6, 10, 16, 24, 35), "dB", 0.7),
    "REV": Operator("path", "repeated lines", (0.15, 0.25, 0.35, 0.5, 0.65), "per order", 0.6),
    "CON": Operator("path", "dark from the skin down", (0.08, 0.15, 0.25, 0.4, 0.6), "lines", 0.9),
    "HAZ": Operator("clutter", "veil over cysts", (-40, -32, -26, -20, -14), "dB re bright", 0.8),
    "SPK": Operator("clutter", "coarse grain", (20, 14, 9, 5, 1), "dB local SNR", 0.7),
    "RF": Operator("clutter", "spokes", (-36, -30, -24, -18, -12), "dB re bright", 0.7),
    "SLB": Operator("clutter", "wings by bright echoes", (-34, -28, -22, -17, -12), "dB", 0.5),
    "DEF": Operator("focus", "points smeared sideways", (1, 1.8, 3, 5, 8), "px sigma", 0.9),
    "MOT": Operator("focus", "smeared along a direction", (5, 9, 13, 19, 27), "px", 0.9),
    "RES": Operator("display", "soft, few pixels", (0.75, 0.5, 0.35, 0.25, 0.17), "of size", 0.8),
    "ALI": Operator("display", "stair steps sideways", (2, 3, 4, 6, 8), "px per line", 0.7),
    "JPG": Operator("display", "blocks", (50, 30, 15, 10, 7), "JPEG quality", 0.6),
    "QNT": Operator("display", "contours in flat grey", (32, 16, 10, 6, 4), "greys", 0.4),
    "ANN": Operator("display", "text over tissue", (0.005, 0.01, 0.02, 0.04, 0.08), "scan", 0.4),
}

CHANGES: Mapping[str, Change] = {
    "G-": gain.gain,
    "G+": gain.gain,
    "TGC": gain.time_gain,
    "DYR": gain.display_range,
    "ATT": propagation.attenuation,
    "SHA": propagation.shadow,
    "REV": propagation.reverberation,
    "CON": propagation.poor_contact,
    "HAZ": clutter.haze,
    "SPK": clutter.speckle,
    "RF": clutter.interference,
    "SLB": clutter.side_lobes,
    "DEF": focus.defocus,
    "MOT": focus.motion,
    "RES": display.resolution,
    "ALI": display.line_decimation,
    "JPG": display.jpeg,
    "QNT": display.grey_levels,
    "ANN": display.annotations,
}

AREAS: Mapping[str, Area] = {  # the others act in the whole scan
    "SHA": propagation.shadow_area,
    "CON": propagation.poor_contact_area,
    "HAZ": clutter.haze_area,
    "ANN": display.annotations_area,
}


def apply(name: str, image: UnitImage, scan_mask: Mask, level: int, seed: int) -> UnitImage:
    """Put a fault on an image.

    Args:
        name: key of `OPERATORS`.
        image: (h, w) grey in [0, 1], at working scale (longer side of the scan about 448 px).
        scan_mask: (h, w); nothing changes outside it.
        level: 1 (hardly seen) to 5 (gross); 0 gives the image back.
        seed: places and noise; the same at every level of a ladder.

    Returns:
        A new (h, w) float32 image in [0, 1].

    Raises:
        ValueError: unknown operator or level, or shapes that differ.
    """
    scene, rng = _prepare(name, image, scan_mask, level, seed)
    if level == 0:
        return scene.image.copy()
    changed = CHANGES[name](scene, OPERATORS[name].parameters[level - 1], rng)
    return np.where(scan_mask, changed, scene.image).astype(np.float32)


def affected_area(
    name: str, image: UnitImage, scan_mask: Mask, level: int, seed: int
) -> Mask | None:
    """Return the (h, w) pixels that `apply` spoils with these arguments; None: the whole scan."""
    scene, rng = _prepare(name, image, scan_mask, level, seed)
    if name not in AREAS:
        return None
    if level == 0:
        return np.zeros_like(scan_mask)
    return AREAS[name](scene, OPERATORS[name].parameters[level - 1], rng)


def provisional_quality(faults: Mapping[str, int]) -> float:
    """Quality in [0, 100] to expect of faults (name to level) until people grade (SCIENCE 7.4)."""
    kept = 1.0
    for name, level in faults.items():
        kept *= 1 - OPERATORS[name].weight * LEVEL_WEIGHTS[level]
    return 100 * kept


def _prepare(
    name: str, image: UnitImage, scan_mask: Mask, level: int, seed: int
) -> tuple[Scene, Generator]:
    if name not in OPERATORS:
        raise ValueError(f"No operator {name!r}; there are {', '.join(OPERATORS)}.")
    if level not in (0, *LEVELS):
        raise ValueError(f"Level {level} is not between 0 and 5.")
    if image.shape != scan_mask.shape:
        raise ValueError(f"Image {image.shape} and scan mask {scan_mask.shape} differ in shape.")
    scene = Scene(
        image=np.clip(np.asarray(image, np.float32), 0, 1),
        scan_mask=scan_mask,
        geometry=geometry_of(scan_mask),
    )
    return scene, np.random.default_rng([seed, list(OPERATORS).index(name)])
