"""The table of operators: five strengths each, and the functions that put them on an image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from sonoquality.arrays import Mask, UnitImage
from sonoquality.degrade import clutter, display, focus, gain, overlays, propagation, view
from sonoquality.degrade.scene import Scene

Group = Literal["panel", "path", "clutter", "focus", "display", "view"]
Strengths = tuple[float, float, float, float, float]
Change = Callable[[Scene, float, Generator], UnitImage]
Area = Callable[[Scene, float, Generator], Mask]
Draw = Callable[[Scene, float, Generator], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of fault at five strengths (SCIENCE 7.3, 7.4); its formula is in `FORMULAS`."""

    group: Group  #: faults put on one image together come from different groups
    sign: str  #: what a sonographer sees
    parameters: Strengths  #: of level 1 to 5
    unit: str  #: of the parameters
    weight: float  #: how much of the quality its levels can cost (SCIENCE 7.4)


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
    "ZOM": Operator("view", "target small in a deep scan", (1.25, 1.5, 2, 2.5, 3), "smaller", 0.0),
}

NOT_COUNTED = ("ANN", "ZOM")  #: masked before scoring; a fault of the view. Outside every mean.
LADDER = tuple(name for name in OPERATORS if name not in NOT_COUNTED)

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
    "ANN": overlays.annotations,
    "ZOM": view.depth_error,
}

AREAS: Mapping[str, Area] = {  # the others act in the whole scan
    "SHA": propagation.shadow_area,
    "CON": propagation.poor_contact_area,
    "HAZ": clutter.haze_area,
    "ANN": overlays.annotations_area,
}

DRAWN: Mapping[str, Draw] = {  # the others draw nothing but noise
    "TGC": gain.time_gain_drawn,
    "SHA": propagation.shadow_drawn,
    "CON": propagation.poor_contact_drawn,
}
