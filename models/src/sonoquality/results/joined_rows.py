"""What is kept of the joined verdict's study, as rows of CSVs."""

from collections.abc import Mapping
from dataclasses import dataclass

COPIES = "joined-copies.csv"
GRADED = "joined-graded.csv"
BOXES = "joined-boxes.csv"
SPEED = "joined-speed.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCopy:
    """One copy of a validation image, as a joined entry judges it."""

    image: str
    group: str
    organ: str
    kind: str
    operator: str  #: of a ladder; empty else
    level: int
    label: float | None  #: MedQM-D
    nrq: float  #: quality by NRQ alone
    quality: float
    uncertain: bool
    scores: Mapping[str, float]  #: raw, as the gate hears them
    by_hand: Mapping[str, float]  #: measured severities by finding
    told: Mapping[str, float]  #: MedQM-I's by finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """One round of timings on one image, in milliseconds."""

    round: int
    encoder: float  #: the graph's encoder alone
    graph: float  #: one run of the whole graph
    verdict: float  #: from pixels to score, heat map, faults in place
