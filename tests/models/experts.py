"""A zoo entry of experts made of a few random numbers, for tests that know no torch.

The encoder is a stand-in written as a graph: means, spreads and products of 16 px patches.
"""

import numpy as np

from sonoquality.arrays import Floats, Tokens, Windows
from sonoquality.metrics.experts import (
    Expert,
    ExpertManifold,
    Features,
    View,
    block_values,
    window_values,
)
from sonoquality.metrics.experts_file import view_of
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.ranker import Ranker
from sonoquality.metrics.reader import Reader
from sonoquality.training.mixture import FitRecipe, fit_manifold

WIDTH = 6
TAPS = (2, 4)
HASH = "5e" * 32


def encode(pixels: Windows, masks: Windows) -> tuple[Tokens, Tokens]:
    """Return taps (n, 2, 6) and last tokens (n, 14, 14, 6) of windows (n, 1, 224, 224)."""
    patches = pixels.reshape(-1, 14, 16, 14, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 14, 14, 256)
    steps = np.diff(patches, axis=3)
    tokens = np.stack(
        [
            patches.mean(3),
            patches.std(3),
            patches.max(3),
            patches.min(3),
            np.abs(steps).mean(3),
            steps.max(3),
        ],
        axis=3,
    )
    share = masks.reshape(-1, 14, 16, 14, 16).mean(axis=(2, 4))
    inside = (share >= 0.5).astype(np.float32)[..., None]
    pooled = (tokens * inside).sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1.0)
    taps = np.stack([pooled**2 + 0.1, pooled], axis=1)
    return taps.astype(np.float32), tokens.astype(np.float32)


def windows(n: int, seed: int = 0) -> tuple[Windows, Windows]:
    """Return n windows of smooth noise, each under a mask of its own."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.1, 0.9, (n, 1, 56, 56))
    smooth = coarse.repeat(4, axis=2).repeat(4, axis=3)
    pixels = np.clip(smooth + rng.normal(0.0, 0.03, smooth.shape), 0, 1).astype(np.float32)
    masks = np.zeros_like(pixels)
    for k in range(n):
        masks[k, 0, : 150 + k % 70, k % 40 :] = 1.0
    return pixels, masks


def features(pixels: Windows, masks: Windows) -> Features:
    """Measure windows with the stand-in."""
    return Features.of(pixels, masks, encode(pixels, masks), reader())


def reader(n_faults: int = 3) -> Reader:
    """Return heads of random weights."""
    rng = np.random.default_rng(8)
    return Reader(
        centre=rng.uniform(0.2, 0.6, WIDTH),
        faults=rng.normal(0.0, 1.0, (WIDTH, n_faults)),
        fault_bias=rng.normal(0.0, 1.0, n_faults),
    )


def ranker(seed: int = 3, n_features: int = 38 + 7) -> Ranker:
    """Return a ranking of random weights over what a window shows and the heads read."""
    rng = np.random.default_rng(seed)
    return Ranker(
        centre=rng.normal(0.0, 1.0, n_features),
        spread=rng.uniform(0.5, 2.0, n_features),
        inner=rng.normal(0.0, 0.3, (n_features, 5)),
        inner_bias=rng.normal(0.0, 0.3, 5),
        outer=rng.normal(0.0, 1.0, 5),
    )


def manifold(n: int = 60, components: int = 1) -> ExpertManifold:
    """Fit every kind of expert on n windows, with room for one Gaussian more than there are."""
    found = features(*windows(n))

    def expert(view: View, weight: float, values: Floats) -> Expert:
        model: Manifold | Ranker | None = None
        if view.kind == "rank":
            model = ranker()
        elif view.kind != "distance":
            model = fit_manifold(values, FitRecipe(variance_kept=0.97, components=(components,)))
        energy = values[:, 0] if model is None else model.energy(values)
        median = float(np.median(energy))
        mad = float(1.4826 * np.median(np.abs(energy - median)))
        return Expert(view=view, weight=weight, model=model, median=median, mad=mad)

    whole = tuple(view_of(name, "window") for name in ("dct", "taps_4", "distance", "rank"))
    single = (View(kind="dct"), View(kind="tokens"), View(kind="distance"))
    return ExpertManifold(
        encoder_sha256=HASH,
        encoder_taps=TAPS,
        reader=reader(),
        window=tuple(
            expert(view, weight, window_values(view, found, TAPS))
            for view, weight in zip(whole, (1.0, 0.5, 2.0, 0.7), strict=True)
        ),
        block=tuple(
            expert(
                view, weight, block_values(view, found, reader().centre)[found.counts.ravel() > 0]
            )
            for view, weight in zip(single, (1.0, 1.0, 0.5), strict=True)
        ),
        n_components=components + 1,
    )
