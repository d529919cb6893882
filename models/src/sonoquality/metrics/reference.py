"""The whole score once more, in plain numpy: what the graph and the pooling are checked against."""

from itertools import pairwise

import numpy as np
from scipy import ndimage

from sonoquality.arrays import Floats, Luma, Mask, Tokens
from sonoquality.card import ModelCard
from sonoquality.metrics.baselines import token_features, window_features
from sonoquality.metrics.experts import ExpertManifold, Features
from sonoquality.metrics.manifold import Manifold
from sonoquality.preprocess import WindowSet, WorkingImage, windows_of, working_image


def image_badness(
    values: Floats, areas: Floats, tail_share: float, tail_weight: float
) -> tuple[float, float, float]:
    """Return mean, worst-region mean and their blend, by adding up area bit by bit."""
    mean = sum(v * a for v, a in zip(values, areas, strict=True)) / sum(areas)
    left = wanted = tail_share * sum(areas)
    worst = 0.0
    for value, area in sorted(zip(values, areas, strict=True), reverse=True):
        worst += value * min(area, left)
        left -= min(area, left)
    worst /= wanted
    return float(mean), float(worst), float((1 - tail_weight) * mean + tail_weight * worst)


def quality_of(badness: float, anchors: list[tuple[float, float]]) -> float:
    """Return quality by the line through the two anchors around `badness`, clipped to [0, 100]."""
    pairs = list(pairwise(anchors))
    (x0, y0), (x1, y1) = next((p for p in pairs if badness <= p[1][0]), pairs[-1])
    return float(min(100.0, max(0.0, y0 + (y1 - y0) * (badness - x0) / (x1 - x0))))


def score(
    luma: Luma, scan: Mask, overlay: Mask, manifolds: tuple[Manifold, Manifold], card: ModelCard
) -> dict[str, float]:
    """Score one frame; returns quality, badness, windows and the mean of the heat map."""
    window, block = manifolds
    working = working_image(luma, scan, overlay)
    windows = windows_of(working)
    values = window.badness(window_features(windows.pixels, windows.masks))
    return _scores(
        values, block_badness(windows, block), windows, working, card=card, n_pixels=luma.size
    )


def score_by_experts(
    inputs: tuple[Luma, Mask, Mask],
    encoded: tuple[Tokens, Tokens],
    manifold: ExpertManifold,
    card: ModelCard,
) -> dict[str, float]:
    """Score one frame, as `score`, by experts.

    Args:
        inputs: luminance, scan mask and overlay mask (height, width).
        encoded: what the encoder says of its windows: taps (n, tap, width), pooled inside the
            mask, and last tokens (n, 14, 14, width).
        manifold: of that encoder.
        card: how the numbers are pooled and scaled.
    """
    working = working_image(*inputs)
    windows = windows_of(working)
    features = Features.of(windows.pixels, windows.masks, encoded, manifold.reader)
    values, blocks = manifold.badness(features), manifold.block_badness(features)
    return _scores(values, blocks, windows, working, card=card, n_pixels=inputs[0].size)


def _scores(
    values: Floats,
    blocks: Floats,
    windows: WindowSet,
    working: WorkingImage,
    *,
    card: ModelCard,
    n_pixels: int,
) -> dict[str, float]:
    n = len(values)
    anchors = next((a for a in card.scale.anchors if n <= a.max_windows), card.scale.anchors[-1])
    _, _, badness = image_badness(values, windows.areas, card.tail_share, card.tail_weight)
    points = list(zip(anchors.badness, anchors.quality, strict=True))
    width, height = working.size
    heat = _heat(windows, blocks, card, working.image.shape)[:height, :width]
    x0, y0, x1, y1 = working.box
    share = (x1 - x0) * (y1 - y0) / n_pixels
    return {
        "quality": quality_of(badness, points),
        card.scale.name: badness,
        "windows": float(n),
        "heat": float(heat.mean() * share),
    }


def block_badness(windows: WindowSet, block: Manifold) -> Floats:
    """Return (window, 14, 14); 0 where a block does not count."""
    tokens, counts = token_features(windows.pixels, windows.masks)
    badness = block.badness(tokens.reshape(-1, tokens.shape[-1])).reshape(counts.shape)
    return badness * counts


def _heat(windows: WindowSet, blocks: Floats, card: ModelCard, shape: tuple[int, ...]) -> Floats:
    total, count = np.zeros(shape), np.zeros(shape)
    bad = np.clip(blocks / card.heat_full, 0.0, 1.0)
    for patch, (top, left) in zip(bad, windows.corners, strict=True):
        zoomed = ndimage.zoom(
            patch, card.window / patch.shape[0], order=0, grid_mode=True, mode="nearest"
        )
        place = (slice(top, top + card.window), slice(left, left + card.window))
        total[place] += zoomed
        count[place] += 1
    heat: Floats = total / np.maximum(count, 1)
    return heat
