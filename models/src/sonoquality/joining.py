"""From one run of a joined graph to what both models say: one badness, its doubt, the faults."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sonoquality.arrays import Mask, UnitImage
from sonoquality.attributes import AttributeMeasure
from sonoquality.beamgrid import Box
from sonoquality.card import ModelCard
from sonoquality.pooling import heat_map, worst_box
from sonoquality.preprocess import WindowSet, WorkingImage
from sonoquality.session import Outputs
from sonoquality.utility import DOUBT, MAPS, SEVERITIES, UTILITY, UtilityScale, off_by

FULL_AT = 0.98
"""Quantile of where an attribute looks that is shown as full: single cells shine."""
DEEP = frozenset({"attenuation"})
"""Attributes that by their nature begin below: the sound does not get so far."""
DEEP_SHARE = 0.5
"""Of the scan's height, which is shown for them."""
LOCATED_FROM = 0.2
"""A fault less severe than this is placed nowhere: nobody will be told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What MedQM-I says of one image."""

    utility: float  #: 0 to 1
    off_by: float  #: how far that is likely off
    severities: Mapping[str, float]  #: by attribute, 0 to 4
    maps: Mapping[str, UnitImage]  #: by attribute (window, 7, 7): where it looks, 1 at its most

    @classmethod
    def by(cls, outputs: Outputs, scale: UtilityScale) -> "Told":
        """Read the outputs of one image's run."""
        looks = outputs[MAPS]
        most = np.maximum(np.quantile(looks, FULL_AT, axis=(0, 2, 3)), np.finfo(np.float32).tiny)
        return cls(
            utility=float(outputs[UTILITY][0]),
            off_by=off_by(float(outputs[DOUBT][0])),
            severities=dict(zip(scale.attributes, map(float, outputs[SEVERITIES][0]), strict=True)),
            maps={
                name: np.minimum(looks[:, k] / most[k], 1).astype(np.float32)
                for k, name in enumerate(scale.attributes)
            },
        )

    @property
    def scores(self) -> Mapping[str, float]:
        """Raw numbers by name: utility and its doubt 0 to 100, severities 0 to 4."""
        return {
            "utility": 100 * self.utility,
            "utility_off_by": 100 * self.off_by,
            **{f"medqm_{name}": value for name, value in self.severities.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Two models' word as one."""

    badness: float
    unsure: bool  #: the utility would make the band worse, if it were surer of itself


def joined(badness: float, told: Told, card: ModelCard, n_windows: int) -> Joined:
    """Raise NRQ's badness by what the utility says, as far as that is sure.

    Args:
        badness: of the image by NRQ alone.
        told: by MedQM-I.
        card: with a utility scale.
        n_windows: of the image; the scale needs it.
    """
    scale = card.utility
    if scale is None:
        return Joined(badness=badness, unsure=False)
    added = scale.weight * scale.fall(told.utility)
    own = badness + scale.trust(told.off_by) * added

    def band(value: float) -> int:
        quality = card.scale.to_quality(value, n_windows)
        return int(quality >= card.medium_from) + int(quality >= card.high_from)

    return Joined(badness=own, unsure=band(badness + added) < band(own))


def located(
    told: Told,
    scale: UtilityScale,
    place: tuple[WindowSet, WorkingImage],
    scan: Mask,
) -> dict[str, AttributeMeasure]:
    """Return the faults by the finding's code, with where in the frame (height, width) they are."""
    found = {}
    for fault in scale.faults:
        severity = fault.severity(told.severities[fault.attribute], scale.finding_at)
        box = None
        if severity >= LOCATED_FROM and fault.attribute in DEEP:
            box = _lower_part(scan)
        elif severity >= LOCATED_FROM and fault.located:
            heat = heat_map(told.maps[fault.attribute], *place, scan.shape)
            corners = worst_box(heat, scan)
            if corners is not None:
                left, top, right, bottom = corners
                box = (left, top, right - left, bottom - top)
        found[fault.code] = AttributeMeasure(severity, box)
    return found


def _lower_part(scan: Mask) -> Box | None:
    """Return the (x, y, width, height) of the deeper part of a scan; None if it is empty."""
    rows, columns = (np.flatnonzero(scan.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    height = int(rows[-1]) - int(rows[0]) + 1
    deep = max(1, round(DEEP_SHARE * height))
    left = int(columns[0])
    return left, int(rows[-1]) + 1 - deep, int(columns[-1]) - left + 1, deep
