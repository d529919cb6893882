"""What is kept of MedQM's study, as rows of CSVs."""

from collections.abc import Mapping
from dataclasses import dataclass

DIAGNOSTICIANS = "medqm-diagnosticians.csv"
AGREEMENT = "medqm-agreement.csv"
HARM = "medqm-harm.csv"
LOSSES = "medqm-losses.csv"
COPIES = "medqm-copies.csv"
VARIANTS = "medqm-variants.csv"
CEILING = "medqm-ceiling.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticianRow:
    """One diagnostician: its anchors, and what it makes of speckle."""

    name: str
    n_images: int  #: training images that it judged
    harmless: float  #: excess that Q .90 means
    nothing: float  #: excess that Q .05 means
    error: float  #: standard error of their difference
    clean: float  #: mean loss on clean images
    speckle: float  #: on speckle, held against each image's own truth
    by_lot: float  #: on speckle, held against other images' truths
    p_value: float
    counts: bool
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Two diagnosticians of different kinds on the images that both judged."""

    first: str
    second: str
    split: str  #: train (out of fold) or val
    n_images: int
    n_copies: int
    tau: float  #: Kendall, of the excess of both types together
    tau_truth: float  #: of the excess against the truth alone
    tau_own: float  #: of that against the own answer alone


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmRow:
    """The mean label of an operator at a level on one organ."""

    organ: str
    operator: str
    level: int
    n_images: int
    label: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRow:
    """What an operator at a level costs a kind of diagnosticians, in the mean."""

    kind: str
    operator: str
    level: int
    n_copies: int
    excess: float  #: over the loss on the clean image, in standard deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """One copy of a validation image, and what everybody says of it."""

    image: str
    group: str
    organ: str
    kind: str
    operator: str  #: of a ladder; empty else
    level: int
    label: float | None  #: MedQM-D
    logvar: float
    scores: Mapping[str, float | None]  #: by measure; higher is better
    said: Mapping[str, float]  #: severities by attribute, 0 to 4
    known: Mapping[str, float]  #: what the ladder knows of them; -1: nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """A MedQM-I that was trained otherwise, beside the whole one on the same copies."""

    variant: str
    held_against: str  #: the label, or the excess of the kind that was left out
    n_images: int
    n_copies: int
    srcc: float
    low: float
    high: float
    whole: float  #: SRCC of the whole one; for a kind left out, of NRQ
    ahead: float  #: by how much the variant is ahead of that
    ahead_low: float
    ahead_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingRow:
    """How well something that is no network tells labels of validation images."""

    what: str  #: halves: some kinds of diagnosticians the others; fault: one who is told the fault
    organ: str  #: empty: all
    first: str  #: kinds that tell
    second: str  #: kinds whose label is told
    n_images: int
    n_copies: int
    srcc: float
    medqm: float  #: of MedQM-I with the same labels of the same copies
