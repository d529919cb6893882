"""The physics ladder: known faults of known strength, put on real images.

Nineteen of the twenty operators of the SCIENCE notes (7.3); the depth error (ZOM) is a fault of the
view, needs to know the target, and is left out. Each works in the domain where its physics acts
(grey shift in dB, complex amplitude, echo power), along the rays, and changes nothing outside the
scan mask. Same seed, same place and noise at every level: a ladder differs only in strength.
"""

from sonoquality.degrade.ladder import (
    LEVEL_WEIGHTS,
    LEVELS,
    OPERATORS,
    Operator,
    affected_area,
    apply,
    provisional_quality,
)
from sonoquality.geometry import ScanGeometry, geometry_of

__all__ = [
    "LEVELS",
    "LEVEL_WEIGHTS",
    "OPERATORS",
    "Operator",
    "ScanGeometry",
    "affected_area",
    "apply",
    "geometry_of",
    "provisional_quality",
]
