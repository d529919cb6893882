"""The physics ladder: known faults of known strength, put on real images.

The twenty operators of the SCIENCE notes (7.3). Each works in the domain where its physics acts
(grey shift in dB, complex amplitude, echo power), along the rays, and changes nothing outside the
scan mask. Same seed, same place and noise at every level: a ladder differs only in strength. ANN
(overlays, masked before scoring) and ZOM (a fault of the view) stay outside every mean: `LADDER`
names the eighteen others.
"""

from sonoquality.degrade.composite import compose, draw_faults, jitter
from sonoquality.degrade.formulas import FORMULAS, Formula
from sonoquality.degrade.ladder import (
    LEVEL_WEIGHTS,
    LEVELS,
    FaultRecord,
    affected_area,
    apply,
    apply_at,
    provisional_quality,
    record,
)
from sonoquality.degrade.operators import LADDER, NOT_COUNTED, OPERATORS, Operator
from sonoquality.geometry import ScanGeometry, geometry_of

__all__ = [
    "FORMULAS",
    "LADDER",
    "LEVELS",
    "LEVEL_WEIGHTS",
    "NOT_COUNTED",
    "OPERATORS",
    "FaultRecord",
    "Formula",
    "Operator",
    "ScanGeometry",
    "affected_area",
    "apply",
    "apply_at",
    "compose",
    "draw_faults",
    "geometry_of",
    "jitter",
    "provisional_quality",
    "record",
]
