"""Fit the experts of a manifold on clean images, by the features of an exported encoder."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from sonoquality.arrays import Floats, Luma, Mask, Tokens, Windows
from sonoquality.errors import ManifoldError
from sonoquality.metrics import reference
from sonoquality.metrics.experts import (
    Expert,
    ExpertManifold,
    Features,
    Level,
    View,
    block_values,
    window_values,
)
from sonoquality.metrics.experts_file import view_of
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.organs import Organs
from sonoquality.metrics.ranker import Ranker
from sonoquality.metrics.reader import Reader
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training import calibrate
from sonoquality.training.data import Readable
from sonoquality.training.mixture import FitRecipe, fit_manifold

TOKENS_PER_WINDOW = 12
#: Block badness of this clean quantile is shown as bad as can be.
HEAT_QUANTILE = 0.95

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many are done, and how many there are."""
Weights = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpertsRecipe(_Table):
    """Which experts a score is made of, and how each is fitted."""

    name: str = "nrq"
    version: str = "1.1.0"
    window: Weights = {"rank": 1.0, "dct": 0.25}
    """Weights of the experts of windows: `dct`, `distance`, `rank` (needs a ranking that was
    learned), or `taps` with the blocks chosen, as in `taps_2_4`."""
    block: Weights = {"dct": 1.0, "tokens": 1.0}
    """Of single blocks, for the heat map: `dct`, `tokens`, `distance`."""
    variance_kept: Annotated[float, Field(gt=0, le=1)] = 0.999
    components: tuple[Annotated[int, Field(ge=1)], ...] = (12,)
    trim: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    rounds: Annotated[int, Field(ge=0)] = 2
    seed: int = 2026
    tail_share: Annotated[float, Field(gt=0, le=1)] = 0.15
    tail_weight: Annotated[float, Field(ge=0, le=1)] = 0.1
    calibration_trim: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Share of the clean calibration images, the worst, that place no anchor."""
    calibration_bins: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (
        2,
        99,
    )
    """Most windows of pictures that share anchors: pieces, and whole images. Finer bins would tell
    devices apart, not sizes: each source's images are of few sizes."""

    @field_validator("window", "block")
    @classmethod
    def _known(cls, weights: dict[str, float], field: ValidationInfo) -> dict[str, float]:
        for name in weights:
            view_of(name, "window" if field.field_name == "window" else "block")
        return weights

    def views(self, level: Level) -> tuple[tuple[View, float], ...]:
        """Return what each expert looks at, with its weight."""
        weights = self.window if level == "window" else self.block
        return tuple((view_of(name, level), weight) for name, weight in weights.items())

    @property
    def density(self) -> FitRecipe:
        """How a density is fitted."""
        return FitRecipe(
            variance_kept=self.variance_kept,
            components=self.components,
            trim=self.trim,
            rounds=self.rounds,
            seed=self.seed,
        )


def read_recipe(path: Path) -> ExpertsRecipe:
    """Read a recipe.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return ExpertsRecipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An exported encoder, as a fit needs it."""

    sha256: str  #: identity of the fp32 weights
    taps: tuple[int, ...]  #: blocks, counted from 1
    reader: Reader  #: of its heads
    encode: Callable[[Windows, Windows], tuple[Tokens, Tokens]]
    """From windows and masks to pooled taps (n, tap, width) and last tokens (n, 14, 14, width)."""


def features_of(encoder: Encoder, luma: Luma, mask: Mask) -> tuple[Features, Floats]:
    """Measure every window of an image; returns features and each window's area in the scan."""
    windows = windows_of(working_image(luma, mask))
    encoded = encoder.encode(windows.pixels, windows.masks)
    found = Features.of(windows.pixels, windows.masks, encoded, encoder.reader)
    return found, windows.areas


def gather(
    encoder: Encoder, images: Iterable[Readable], n_images: int, progress: Progress
) -> list[Features]:
    """Measure images; of each, all windows and a few blocks that count."""
    found = []
    for i, image in enumerate(images):
        features, _ = features_of(encoder, *image.read())
        found.append(_thinned(features, image.seed))
        progress("features", i + 1, n_images)
    return found


def _thinned(features: Features, seed: int) -> Features:
    counts = features.counts > 0
    n_taken = min(int(counts.sum()), TOKENS_PER_WINDOW * len(counts))
    taken = np.random.default_rng(seed).choice(int(counts.sum()), n_taken, replace=False)
    return Features(
        dct=features.dct,
        taps=features.taps,
        block_dct=features.block_dct[counts][taken],
        tokens=features.tokens[counts][taken],
        counts=np.ones(n_taken),
        read=features.read,
    )


def joined(parts: Sequence[Features]) -> Features:
    """Put the features of images one after another."""
    return Features(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("dct", "taps", "block_dct", "tokens", "counts", "read")
        }
    )


def fit_experts(
    features: Features,
    encoder: Encoder,
    recipe: ExpertsRecipe,
    ranker: Ranker | None = None,
    organs: Sequence[str] = (),
) -> ExpertManifold:
    """Fit every expert on clean features; the same features give the same numbers.

    A ranking was learned before; of it only the clean scale is fitted. Given each window's organ,
    the shared mixture also learns which of its Gaussians hold which.

    Raises:
        ManifoldError: the recipe names a tap that the encoder has not, or a ranking and none came.
    """
    if ranker is None and "rank" in recipe.window:
        raise ManifoldError(
            "The recipe asks for the expert `rank`: give a ranking, made by sonoquality train "
            "ranker, or take `rank` out of the recipe."
        )
    absent = {tap for view, _ in recipe.views("window") for tap in view.taps} - {*encoder.taps}
    if absent:
        raise ManifoldError(
            f"The encoder has no tap {', '.join(map(str, sorted(absent)))}; the recipe may name "
            f"{', '.join(map(str, encoder.taps))}."
        )

    def shown(view: View, level: Level) -> Floats:
        if level == "window":
            return window_values(view, features, encoder.taps)
        return block_values(view, features, encoder.reader.centre)

    def fitted(level: Level) -> tuple[Expert, ...]:
        return tuple(
            _expert((view, weight), shown(view, level), recipe.density, ranker)
            for view, weight in recipe.views(level)
        )

    found = ExpertManifold(
        encoder_sha256=encoder.sha256,
        encoder_taps=encoder.taps,
        reader=encoder.reader,
        window=fitted("window"),
        block=fitted("block"),
        n_components=max(recipe.components),
    )
    mixture = found.shared_mixture()
    if mixture is None or not organs:
        return found
    return replace(found, organs=Organs.of(mixture, features.dct, organs))


def _expert(
    weighted: tuple[View, float], values: Floats, recipe: FitRecipe, ranker: Ranker | None
) -> Expert:
    view, weight = weighted
    model = _model(view, values, recipe, ranker)
    median, mad = _scale(values[:, 0] if model is None else model.energy(values))
    return Expert(view=view, weight=weight, model=model, median=median, mad=mad)


def _model(
    view: View, values: Floats, recipe: FitRecipe, ranker: Ranker | None
) -> Manifold | Ranker | None:
    if view.kind == "distance":
        return None
    return ranker if view.kind == "rank" else fit_manifold(values, recipe)


def _scale(energy: Floats) -> tuple[float, float]:
    median = float(np.median(energy))
    return median, float(1.4826 * np.median(np.abs(energy - median)))


def heat_full(manifold: ExpertManifold, features: Features) -> float:
    """Return the block badness that is shown as bad as can be, from clean blocks."""
    return round(float(np.quantile(manifold.block_badness(features), HEAT_QUANTILE)), 3)


def scorer(
    encoder: Encoder, judges: Sequence[ExpertManifold], recipe: ExpertsRecipe
) -> calibrate.Score:
    """Return the function that scores an image by each of several manifolds."""

    def score(luma: Luma, mask: Mask) -> tuple[list[float], int]:
        features, areas = features_of(encoder, luma, mask)
        blends = [
            reference.image_badness(
                judge.badness(features), areas, recipe.tail_share, recipe.tail_weight
            )[2]
            for judge in judges
        ]
        return blends, len(areas)

    return score
