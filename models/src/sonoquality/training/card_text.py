"""The words of the model card that people read, around the numbers of one fit."""

import json
from dataclasses import dataclass

from sonoquality.card import Anchors
from sonoquality.preprocess import LEAST_MASK, STRIDE, WINDOW, WORKING_SIDE
from sonoquality.training.calibrate import TRIM

LEAST_BLOCKS = 98
HIGH_FROM, MEDIUM_FROM = 75.0, 45.0

INTENDED_USE = (
    "Technical quality of two-dimensional grey-scale ultrasound images, as one input to the "
    "decision to acquire an image again while the patient is still there."
)
LIMITS = (
    "It knows 38 statistics of small blocks and nothing of anatomy, view or diagnosis: a sharp "
    "image of the wrong plane scores high.",
    "Shadow, reverberation and side lobes hardly move it, as the results on the validation split "
    "show; the findings beside the score look for them.",
    "It was fitted on breast, fetal head, liver, lung, muscle and ovary. Other organs and devices "
    "far from these may score lower without being worse.",
    "Not for hearts: on hearts graded by a cardiologist its order was worse than chance "
    "(docs/results/baseline.md).",
    "No person has graded a training image: clean means published and not spoiled on purpose.",
    "Quality is an ordering with agreed anchors, not a probability, and no medical device claim "
    "is made.",
)


CHOICES = (
    "Dimensions, one Gaussian component and the weight of the worst region were chosen on the "
    "validation split; the half-unknown calibration after nerve images of a device outside the "
    "collection had scored low for being new"
)


HALF_UNKNOWN = """Measured on groups that the fit has not seen, each image once by this
# manifold and once by one fitted without its source, as a new device would meet it"""
UNKNOWN = """Measured on groups that the fit has not seen, by fits without
# their source: to a gate every device is new"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a person should know of one kind of model."""

    description: str
    limits: tuple[str, ...]
    choices: str  #: what was chosen, and on which images
    calibration: str = HALF_UNKNOWN  #: by whom the images that place the anchors are scored
    unit: str = "robust standard deviations above the median clean window"  #: of the raw score


DCT_WORDS = Words(
    description="How far 38 DCT and intensity statistics of 16-px blocks lie from clean images",
    limits=LIMITS,
    choices=CHOICES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What differs from fit to fit."""

    name: str
    version: str
    sha256: str
    parent_sha256: str
    anchors: tuple[Anchors, ...]
    tail_share: float
    tail_weight: float
    heat_full: float
    sources: tuple[tuple[str, str, int, int], ...]  #: name, licence, images to fit, to calibrate
    n_windows: int
    subspace: tuple[int, ...] = ()  #: dimensions kept of 38: windows, blocks
    words: Words = DCT_WORDS
    precision: str = "float32"
    encoder_sha256: str = ""  #: of fp32; the graph takes the parent's numbers
    split: str = "train"
    trim: float = TRIM  #: share of the clean images that placed no anchor


def card_text(facts: CardFacts) -> str:
    """Return the whole `model.toml`."""
    sections = (
        _model(facts),
        _scale(facts),
        _handling(facts),
        _training(facts),
    )
    return "\n".join(sections)


def _model(facts: CardFacts) -> str:
    limits = "".join(f"    {json.dumps(limit)},\n" for limit in facts.words.limits)
    return f"""[model]
name = "{facts.name}"
version = "{facts.version}"
sha256 = "{facts.sha256}"
parent = "manifold.npz"
parent_sha256 = "{facts.parent_sha256}"
precision = "{facts.precision}"
licence = "Apache-2.0"
description = {json.dumps(facts.words.description)}
intended_use = {json.dumps(INTENDED_USE)}
limits = [
{limits}]
{_manifold(facts)}"""


def _manifold(facts: CardFacts) -> str:
    """Return the table of numbers that the graph takes beside its windows, if it takes any."""
    if not facts.encoder_sha256:
        return ""
    return f"""
[manifold]
file = "manifold.npz"
sha256 = "{facts.parent_sha256}"
encoder_sha256 = "{facts.encoder_sha256}"
"""


def _scale(facts: CardFacts) -> str:
    rows = "\n".join(
        f"[[scale.anchors]]\nmax_windows = {a.max_windows}\n"
        f"badness = {list(a.badness)}\nquality = {list(a.quality)}\n"
        for a in facts.anchors
    )
    return f"""[scale]
name = "badness"
unit = {json.dumps(facts.words.unit)}
higher_is_better = false
# Quality 90 at the clean median, 75 at its 85th and 45 at its 97th percentile, 5 at the median of
# grossly spoiled images. {facts.words.calibration}{_trimmed(facts)}

{rows}
[thresholds]
high_from = {HIGH_FROM}
medium_from = {MEDIUM_FROM}
"""


def _trimmed(facts: CardFacts) -> str:
    if not facts.trim:
        return ".\n# 100 is best."
    share = f"the worst {100 * facts.trim:g} %"
    return f"; {share}\n# of the clean images were left out as really bad. 100 is best."


def _handling(facts: CardFacts) -> str:
    return f"""[preprocessing]
channels = "BT.601 luminance, divided by 255"
working_side = {WORKING_SIDE}  # px, of the scan area's longer side; never enlarged
resampler = "Lanczos"
window = {WINDOW}
stride = {STRIDE}
least_mask = {LEAST_MASK}
block = 16
{_subspace(facts)}
[pooling]
tail_share = {facts.tail_share}
tail_weight = {facts.tail_weight}

[heat]
full_at = {facts.heat_full}  # block badness shown as 1

[domain]
least_blocks = {LEAST_BLOCKS}  # fewer blocks in the scan: the score is uncertain
"""


def _subspace(facts: CardFacts) -> str:
    kept = f"subspace = {list(facts.subspace)}  # dimensions of 38, for windows and for blocks\n"
    return kept if facts.subspace else ""


def _training(facts: CardFacts) -> str:
    rows = "\n".join(
        f"[[training.sources]]\nname = {json.dumps(name)}\nlicence = {json.dumps(licence)}\n"
        f"images_fitted = {fitted}\nimages_calibrated = {calibrated}\n"
        for name, licence, fitted, calibrated in facts.sources
    )
    return f"""[training]
split = "{facts.split}"
non_commercial_data = false
choices = {json.dumps(facts.words.choices)}
windows = {facts.n_windows}

{rows}"""
