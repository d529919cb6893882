"""The table of operators with their five strengths, and the two functions that use it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from sonoquality.degrade import clutter, display, focus, gain, propagation
from sonoquality.degrade.geometry import F32, Mask, geometry_of
from sonoquality.degrade.scene import Scene

LEVELS = (1, 2, 3, 4, 5)
LEVEL_WEIGHTS = (0.0, 0.10, 0.25, 0.45, 0.70, 0.90)  #: d of level 0..5 (SCIENCE 7.4)

Group = Literal["panel", "path", "clutter", "focus", "display"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One kind of fault at five strengths."""

    name: str
    group: Group
    sign: str  #: what a sonographer sees
    parameters: tuple[float, float, float, float, float]  #: of level 1..5
    unit: str
    weight: float  #: how much of the quality level 5 can cost (SCIENCE 7.4)
    source: str
    change: Callable[[Scene, float, Generator], F32]
    area: Callable[[Scene, float, Generator], Mask] | None = None  #: None: the whole scan


def _operator(
    name: str,
    group: Group,
    sign: str,
    scale: tuple[tuple[float, float, float, float, float], str, float],
    change: Callable[[Scene, float, Generator], F32],
    area: Callable[[Scene, float, Generator], Mask] | None = None,
) -> Operator:
    parameters, unit, weight = scale
    source = "SCIENCE 7.3/7.4, 60 dB display range"
    return Operator(
        name=name,
        group=group,
        sign=sign,
        parameters=parameters,
        unit=unit,
        weight=weight,
        source=source,
        change=change,
        area=area,
    )


_ALL = (
    _operator(
        "G-",
        "panel",
        "black image, soft tissue lost",
        ((-6, -10, -15, -20, -28), "dB", 0.6),
        gain.gain,
    ),
    _operator(
        "G+", "panel", "saturation, cysts filled in", ((6, 10, 15, 20, 28), "dB", 0.6), gain.gain
    ),
    _operator(
        "TGC", "panel", "bands at constant depth", ((4, 8, 12, 18, 24), "dB", 0.5), gain.time_gain
    ),
    _operator(
        "DYR",
        "panel",
        "hard contrast, greys lost",
        ((48, 38, 30, 22, 15), "dB shown", 0.6),
        gain.display_range,
    ),
    _operator(
        "ATT",
        "path",
        "poor penetration",
        ((6, 12, 20, 30, 40), "dB at the bottom", 0.8),
        propagation.attenuation,
    ),
    _operator(
        "SHA",
        "path",
        "dark rays below a reflector",
        ((6, 10, 16, 24, 35), "dB, over 6 to 30 % of the width", 0.7),
        propagation.shadow,
        propagation.shadow_area,
    ),
    _operator(
        "REV",
        "path",
        "repeated lines",
        ((0.15, 0.25, 0.35, 0.50, 0.65), "amplitude per order", 0.6),
        propagation.reverberation,
    ),
    _operator(
        "CON",
        "path",
        "lines dark from the skin down",
        ((0.08, 0.15, 0.25, 0.40, 0.60), "share of lines", 0.9),
        propagation.poor_contact,
        propagation.poor_contact_area,
    ),
    _operator(
        "HAZ",
        "clutter",
        "veil over chambers and cysts",
        ((-40, -32, -26, -20, -14), "dB re peak", 0.8),
        clutter.haze,
        clutter.haze_area,
    ),
    _operator(
        "SPK", "clutter", "coarse grain", ((20, 14, 9, 5, 1), "dB local SNR", 0.7), clutter.speckle
    ),
    _operator(
        "RF",
        "clutter",
        "spokes of interference",
        ((-36, -30, -24, -18, -12), "dB re peak", 0.7),
        clutter.interference,
    ),
    _operator(
        "SLB",
        "clutter",
        "wings beside bright echoes",
        ((-34, -28, -22, -17, -12), "dB re echo", 0.5),
        clutter.side_lobes,
    ),
    _operator(
        "DEF",
        "focus",
        "points smeared across the beams",
        ((1, 1.8, 3, 5, 8), "px sigma", 0.9),
        focus.defocus,
    ),
    _operator(
        "MOT", "focus", "smeared along a direction", ((5, 9, 13, 19, 27), "px", 0.9), focus.motion
    ),
    _operator(
        "RES",
        "display",
        "soft, few pixels",
        ((0.75, 0.5, 0.35, 0.25, 0.17), "of the size", 0.8),
        display.resolution,
    ),
    _operator(
        "ALI",
        "display",
        "stair steps across the beams",
        ((2, 3, 4, 6, 8), "px per line", 0.7),
        display.line_decimation,
    ),
    _operator("JPG", "display", "blocks", ((50, 30, 15, 10, 7), "JPEG quality", 0.6), display.jpeg),
    _operator(
        "QNT",
        "display",
        "contour lines in flat grey",
        ((32, 16, 10, 6, 4), "grey levels", 0.4),
        display.grey_levels,
    ),
    _operator(
        "ANN",
        "display",
        "text over tissue",
        ((0.005, 0.01, 0.02, 0.04, 0.08), "of the scan", 0.4),
        display.annotations,
        display.annotations_area,
    ),
)

OPERATORS: Mapping[str, Operator] = {operator.name: operator for operator in _ALL}


def apply(name: str, image: F32, scan_mask: Mask, level: int, seed: int) -> F32:
    """Put a fault on an image.

    Args:
        name: key of `OPERATORS`.
        image: (h, w) grey in [0, 1], at the working scale (longer side of the scan about 448 px).
        scan_mask: (h, w); nothing changes outside it.
        level: 1 (hardly seen) to 5 (gross); 0 gives the image back.
        seed: places and noise; the same at every level of a ladder.

    Raises:
        ValueError: unknown operator or level, or shapes that differ.
    """
    operator, scene, rng = _prepare(name, image, scan_mask, level, seed)
    if level == 0:
        return scene.image.copy()
    changed = operator.change(scene, operator.parameters[level - 1], rng)
    return np.where(scan_mask, changed, scene.image).astype(np.float32)


def affected_area(name: str, image: F32, scan_mask: Mask, level: int, seed: int) -> Mask | None:
    """Return the pixels (h, w) that `apply` with the same arguments spoils; None where that is the whole scan."""
    operator, scene, rng = _prepare(name, image, scan_mask, level, seed)
    if operator.area is None:
        return None
    if level == 0:
        return np.zeros_like(scan_mask)
    return operator.area(scene, operator.parameters[level - 1], rng)


def provisional_quality(faults: Mapping[str, int]) -> float:
    """Quality in [0, 100] to expect of these faults (name to level) until people have graded (SCIENCE 7.4)."""
    kept = 1.0
    for name, level in faults.items():
        kept *= 1 - OPERATORS[name].weight * LEVEL_WEIGHTS[level]
    return 100 * kept


def _prepare(
    name: str, image: F32, scan_mask: Mask, level: int, seed: int
) -> tuple[Operator, Scene, Generator]:
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
    return OPERATORS[name], scene, np.random.default_rng([seed, list(OPERATORS).index(name)])
