"""What MedQM-I adds to a score: how well an image will serve, how sure that is, and its faults.

The rule that joins both (docs/results/joined.md has what else was tried): where the utility falls
below what clean images have, badness rises with the fall of its logit. It never lowers badness, and
the less sure it is of itself the less it raises it; where that decides about a band, the score is
called uncertain. NRQ sees every pixel; MedQM-I knows what faults cost a diagnosis, on 128 px.
"""

from dataclasses import dataclass
from math import exp, log, sqrt

from sonoquality.attributes import ramp

UTILITY, DOUBT = "utility", "utility_logvar"
SEVERITIES, MAPS = "severities", "attribute_maps"
OUTPUTS = (UTILITY, DOUBT, SEVERITIES, MAPS)
"""What the graph of a joined entry gives beside NRQ's outputs."""

LEAST = 1e-4  #: nearer to 0 or 1 no utility counts
BETA = 0.1
DOUBT_WEIGHT = 0.1
"""Of the loss that taught the doubt (`training.medqm.losses.doubted`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScale:
    """How an attribute's severity becomes a finding's."""

    attribute: str  #: of MedQM-I
    code: str  #: of the finding
    named_at: float  #: severity of the attribute, 0 to 4, from which the finding is named
    full: float  #: and that is as bad as it gets
    located: bool  #: whether where the attribute looks tells where the fault is

    def severity(self, told: float, at: float) -> float:
        """Return the finding's severity, 0 to 1, which is `at` where it begins to be named."""
        if told < self.named_at:
            return at * ramp(told, 0.0, self.named_at)
        return at + (1 - at) * ramp(told, self.named_at, self.full)


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityScale:
    """How to read MedQM-I beside NRQ; a part of the card."""

    weight: float  #: badness for each unit that the utility's logit lies below `from_logit`
    from_logit: float  #: of the utility of clean images: most lie above
    sure_below: float  #: off by less than this (of 1), the utility counts in full
    unsure_from: float  #: off by this and more, not at all
    finding_at: float  #: severity of a finding from which it is named
    attributes: tuple[str, ...]  #: of the graph's severities, in their order
    faults: tuple[FaultScale, ...]

    def fall(self, utility: float) -> float:
        """Return how far the logit of a utility in [0, 1] lies below that of clean images."""
        held = min(max(utility, LEAST), 1 - LEAST)
        return max(0.0, self.from_logit - log(held / (1 - held)))

    def trust(self, off: float) -> float:
        """Return how much a utility counts that is likely off by so much: 1 sure, 0 not at all."""
        return ramp(off, self.unsure_from, self.sure_below)


def off_by(logvar: float) -> float:
    """Return how far a utility in [0, 1] is likely off, as its loss taught the doubt."""
    lost = DOUBT_WEIGHT * exp(logvar)
    return sqrt(2 * BETA * lost) if lost < BETA / 2 else lost + BETA / 2
