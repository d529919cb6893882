"""Write a zoo entry of experts: graph, manifold, card and golden scores."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonoquality import golden
from sonoquality.arrays import Tokens
from sonoquality.card import Anchors, ModelCard
from sonoquality.metrics import experts_file, reference
from sonoquality.metrics.experts import ExpertManifold
from sonoquality.training.card_text import CardFacts, Words, card_text
from sonoquality.training.experts import ExpertsRecipe
from sonoquality.zoo import CARD_FILE, GOLDEN_FILE, MODEL_FILE, PARENT_FILE

EncodePhantom = Callable[[golden.Phantom], tuple[Tokens, Tokens]]
"""From a golden phantom to the encoder's taps and tokens of its windows."""

LIMITS = (
    "It knows how clean images look to a small encoder and to 38 statistics of blocks, and nothing "
    "of anatomy, view or diagnosis: a sharp image of the wrong plane scores high.",
    "Other organs and devices far from those it was fitted on may score lower without being worse.",
    "Not for hearts: on hearts graded by a cardiologist its order is no better than chance, "
    "and the mean gradient does far better (docs/results/nrq.md).",
    "It learned from grey pictures: with much colour Doppler over the tissue it may score too low.",
    "Shadow, reverberation and side lobes move it little; the findings beside the score look for "
    "them.",
    "No person has graded a training image: clean means published and not spoiled on purpose.",
    "Quality is an ordering with agreed anchors, not a probability, and no medical device claim "
    "is made.",
)
SITE_LIMITS = (
    "Fitted by a site on its own images, all of which were taken for clean; faults that are common "
    "among them count as clean.",
    *LIMITS[:2],
    LIMITS[-1],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEntry:
    """The numbers of an entry, and where they come from."""

    name: str
    version: str
    manifold: ExpertManifold
    anchors: tuple[Anchors, ...]
    heat_full: float
    recipe: ExpertsRecipe
    sources: tuple[tuple[str, str, int, int], ...]  #: name, licence, images to fit, to calibrate
    n_windows: int
    words: Words
    precision: str
    split: str = "train"


def words_of(
    recipe: ExpertsRecipe, limits: tuple[str, ...], choices: str, calibration: str
) -> Words:
    """Describe a score made of a recipe's experts."""
    named = ", ".join(f"{name} ({weight:g})" for name, weight in recipe.window.items())
    return Words(
        description=f"How far windows lie from clean ones, by experts with weights: {named}",
        limits=limits,
        choices=choices,
        calibration=calibration,
        unit="weighted mean of the experts' robust standard deviations above clean windows",
    )


def write_entry(entry: Path, graph: bytes, fitted: FittedEntry) -> None:
    """Write graph, manifold and card."""
    entry.mkdir(parents=True, exist_ok=True)
    (entry / MODEL_FILE).write_bytes(graph)
    experts_file.save(entry / PARENT_FILE, fitted.manifold)
    facts = CardFacts(
        name=fitted.name,
        version=fitted.version,
        sha256=hashlib.sha256(graph).hexdigest(),
        parent_sha256=hashlib.sha256((entry / PARENT_FILE).read_bytes()).hexdigest(),
        anchors=fitted.anchors,
        tail_share=fitted.recipe.tail_share,
        tail_weight=fitted.recipe.tail_weight,
        heat_full=fitted.heat_full,
        sources=fitted.sources,
        n_windows=fitted.n_windows,
        words=fitted.words,
        precision=fitted.precision,
        encoder_sha256=fitted.manifold.encoder_sha256,
        split=fitted.split,
        trim=fitted.recipe.calibration_trim,
    )
    (entry / CARD_FILE).write_text(card_text(facts), encoding="utf-8")


def write_golden(
    entry: Path, manifold: ExpertManifold, encode: EncodePhantom, made_by: str
) -> None:
    """Write what the plain reference says of the golden phantoms, given an encoder's word."""
    card = ModelCard.read(entry)
    expected = {}
    for phantom in golden.PHANTOMS:
        inputs = golden.inputs_of(phantom)
        scores = reference.score_by_experts(inputs, encode(phantom), manifold, card)
        expected[phantom.name] = {key: round(value, 6) for key, value in scores.items()}
    table = {"made_by": made_by, "expected": expected}
    (entry / GOLDEN_FILE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
