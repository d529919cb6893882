"""Put one fault on an image; say where it is and with which parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade.operators import AREAS, CHANGES, DRAWN, OPERATORS
from sonoquality.degrade.scene import Scene
from sonoquality.geometry import geometry_of

LEVELS = (1, 2, 3, 4, 5)
LEVEL_WEIGHTS = (0.0, 0.10, 0.25, 0.45, 0.70, 0.90)  #: d of level 0 to 5 (SCIENCE 7.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """What was done to a sample: with the image, enough to do it again."""

    operator: str
    level: int
    seed: int
    strength: float | None  #: the operator's parameter at this level; None at level 0
    unit: str  #: of the strength
    drawn: Mapping[str, float]  #: places and sizes that the seed chose, by name


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
    return _changed(name, scene, OPERATORS[name].parameters[level - 1], rng)


def apply_at(name: str, image: UnitImage, scan_mask: Mask, strength: float, seed: int) -> UnitImage:
    """Put a fault on an image at a strength between the levels; else as `apply`.

    Args:
        name: key of `OPERATORS`; not SHA, whose width goes by level.
        image: as in `apply`.
        scan_mask: as in `apply`.
        strength: in the operator's unit.
        seed: as in `apply`: the same places and noise as its levels have.
    """
    scene, rng = _prepare(name, image, scan_mask, LEVELS[0], seed)
    return _changed(name, scene, strength, rng)


def _changed(name: str, scene: Scene, strength: float, rng: Generator) -> UnitImage:
    changed = CHANGES[name](scene, strength, rng)
    return np.where(scene.scan_mask, changed, scene.image).astype(np.float32)


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


def record(name: str, image: UnitImage, scan_mask: Mask, level: int, seed: int) -> FaultRecord:
    """Return the parameters of what `apply` does with these arguments."""
    scene, rng = _prepare(name, image, scan_mask, level, seed)
    strength = OPERATORS[name].parameters[level - 1] if level else None
    drawn = DRAWN[name](scene, strength, rng) if strength is not None and name in DRAWN else {}
    return FaultRecord(
        operator=name,
        level=level,
        seed=seed,
        strength=strength,
        unit=OPERATORS[name].unit,
        drawn={key: round(value, 4) for key, value in drawn.items()},
    )


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
