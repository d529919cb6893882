"""Fit the manifold on the training split and write a zoo entry: graph, parent, card, golden."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoquality import golden
from sonoquality.arrays import Floats, Luma, Mask
from sonoquality.card import Anchors, ModelCard
from sonoquality.export.dct import export
from sonoquality.metrics import manifold as manifolds
from sonoquality.metrics import reference
from sonoquality.metrics.baselines import token_features, window_features
from sonoquality.metrics.manifold import Manifold
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training import calibrate
from sonoquality.training.card_text import CardFacts, card_text
from sonoquality.training.data import (
    Row,
    allowed,
    calibrates,
    calibrates_unseen,
    read_index,
    training_rows,
)
from sonoquality.training.mixture import FitRecipe, fit_manifold
from sonoquality.zoo import CARD_FILE, GOLDEN_FILE, MODEL_FILE, PARENT_FILE

NAME, VERSION = "dct-manifold", "1.0.0"
TOKENS_PER_WINDOW = 12
TAIL_SHARE, TAIL_WEIGHT = 0.15, 0.25
#: Block badness of this clean quantile is shown as bad as can be.
HEAT_QUANTILE = 0.95

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The numbers of a fit."""

    window: Manifold
    block: Manifold
    without: Mapping[str, Manifold]  #: of windows, fitted without one source, by that source
    heat_full: float
    n_windows: int


def fit(data: Path, out: Path, progress: Progress, recipe: FitRecipe | None = None) -> Path:
    """Fit on the training split of a collection and write the zoo entry; returns its folder.

    The same data and versions give the same numbers. Validation and evaluation rows are not read.
    """
    rows = training_rows(read_index(data))
    fitting = [row for row in rows if not calibrates(row)]
    calibrating = [row for row in rows if calibrates(row)]
    fitted = _fit_manifolds(fitting, recipe or FitRecipe(), progress)
    unseen = [row for row in fitting if row.group.endswith("_all") and calibrates_unseen(row)]
    scored = _calibration([*calibrating, *unseen], fitted, progress)
    entry = out / NAME / VERSION
    entry.mkdir(parents=True, exist_ok=True)
    _write(entry, fitted, calibrate.anchors_of(scored), (fitting, calibrating))
    return entry


def _fit_manifolds(rows: Sequence[Row], recipe: FitRecipe, progress: Progress) -> Fitted:
    windows: dict[str, list[Floats]] = {}
    tokens: list[Floats] = []
    for i, row in enumerate(allowed(rows)):
        pooled, blocks = _features(*row.read(), row.seed)
        windows.setdefault(row.source, []).append(pooled)
        tokens.append(blocks)
        progress("features", i + 1, len(rows))
    window = fit_manifold(_joined(windows, without=""), recipe)
    without = {
        source: fit_manifold(_joined(windows, without=source), recipe)
        for source in windows
        if len(windows) > 1
    }
    block_tokens = np.concatenate(tokens)
    block = fit_manifold(block_tokens, recipe)
    full = float(np.quantile(block.badness(block_tokens), HEAT_QUANTILE))
    return Fitted(
        window=window,
        block=block,
        without=without,
        heat_full=round(full, 3),
        n_windows=len(_joined(windows, without="")),
    )


def _joined(windows: Mapping[str, list[Floats]], *, without: str) -> Floats:
    kept = [part for source, parts in windows.items() if source != without for part in parts]
    return np.concatenate(kept)


def _features(luma: Luma, mask: Mask, seed: int) -> tuple[Floats, Floats]:
    """Return window features and a few block features of every window."""
    windows = windows_of(working_image(luma, mask))
    tokens, counts = token_features(windows.pixels, windows.masks)
    found = tokens[counts > 0]
    n_taken = min(len(found), TOKENS_PER_WINDOW * len(windows.pixels))
    taken = np.random.default_rng(seed).choice(len(found), n_taken, replace=False)
    return window_features(windows.pixels, windows.masks), found[taken]


def _calibration(rows: Sequence[Row], fitted: Fitted, progress: Progress) -> list[calibrate.Sample]:
    """Score the rows by the shipped manifold, if it has not seen them, and by the unknowing one."""
    scored: list[calibrate.Sample] = []
    for i, row in enumerate(allowed(rows)):
        judges = [fitted.window] if calibrates(row) else []
        judges += [fitted.without[row.source]] if row.source in fitted.without else []
        scored.extend(calibrate.samples([row], _scorer(judges)))
        progress("calibration", i + 1, len(rows))
    return scored


def _scorer(judges: Sequence[Manifold]) -> calibrate.Score:
    def score(luma: Luma, mask: Mask) -> tuple[list[float], int]:
        windows = windows_of(working_image(luma, mask))
        features = window_features(windows.pixels, windows.masks)
        blends = [
            reference.image_badness(
                judge.badness(features), windows.areas, TAIL_SHARE, TAIL_WEIGHT
            )[2]
            for judge in judges
        ]
        return blends, len(features)

    return score


def _write(
    entry: Path,
    fitted: Fitted,
    anchors: tuple[Anchors, ...],
    rows: tuple[list[Row], list[Row]],
) -> None:
    parent, model = entry / PARENT_FILE, entry / MODEL_FILE
    manifolds.save(parent, {"window": fitted.window, "block": fitted.block})
    export(model, fitted.window, fitted.block)
    fitting, calibrating = rows
    facts = CardFacts(
        name=NAME,
        version=VERSION,
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        parent_sha256=hashlib.sha256(parent.read_bytes()).hexdigest(),
        anchors=anchors,
        tail_share=TAIL_SHARE,
        tail_weight=TAIL_WEIGHT,
        heat_full=fitted.heat_full,
        sources=sources_of(fitting, calibrating),
        n_windows=fitted.n_windows,
        subspace=tuple(map(len, (fitted.window.basis, fitted.block.basis))),
    )
    (entry / CARD_FILE).write_text(card_text(facts), encoding="utf-8")
    write_golden(entry)


def sources_of(fitting: list[Row], calibrating: list[Row]) -> tuple[tuple[str, str, int, int], ...]:
    """Return name, licence, images to fit and images to calibrate of every source."""
    fits = Counter(row.source for row in fitting)
    anchors = Counter(row.source for row in calibrating)
    licences = {
        source: " and ".join(
            sorted({r.licence for r in (*fitting, *calibrating) if r.source == source})
        )
        for source in sorted(fits)
    }
    return tuple((s, licences[s], fits[s], anchors[s]) for s in sorted(fits))


def write_golden(entry: Path) -> None:
    """Write the golden scores of a zoo entry from the plain reference."""
    card = ModelCard.read(entry)
    window, block = manifolds.load(entry / PARENT_FILE, "window", "block")
    expected = {}
    for phantom in golden.PHANTOMS:
        scores = reference.score(*golden.inputs_of(phantom), (window, block), card)
        expected[phantom.name] = {key: round(value, 6) for key, value in scores.items()}
    table = {"made_by": "sonoquality.metrics.reference", "expected": expected}
    (entry / GOLDEN_FILE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
