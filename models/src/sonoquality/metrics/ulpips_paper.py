"""uLPIPS as released with the paper, number for number (SCIENCE.md §3.2).

A distance between two images over the relations of an encoder's tokens; 0 for identical ones, lower
is more similar. Its known defects are kept, since this is the mode for comparing with the paper:
the aspect is not kept, fine speckle is averaged away before anything looks, and the Gram term is
about a thousand times smaller than the structure term. Plain numpy; the encoder is handed in.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from sonoquality.arrays import Encode, Floats, Luma, ShapeError, Tokens, Windows
from sonoquality.metrics.area import resize_area

SIDE = 224
RADIUS = 3
SHARPNESS = 20.0
"""tau of the softmax over a neighbourhood's cosine similarities."""

LEAST_NORM = 1e-12


def score(reference: Luma, other: Luma, encode: Encode) -> float:
    """Return the distance of two images, which may differ in size: both are drawn to a square.

    Raises:
        ShapeError: one is no uint8 image.
    """
    return distance(encode(view_of(reference)), encode(view_of(other)))


def view_of(luma: Luma) -> Windows:
    """Return the whole image as one window (1, 1, 224, 224) in [0, 1], aspect not kept.

    Raises:
        ShapeError: `luma` is no uint8 image.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ShapeError(f"Expected (height, width) uint8, got {luma.shape} {luma.dtype}.")
    unit = luma.astype(np.float32) / np.float32(255.0)
    return resize_area(unit, (SIDE, SIDE))[None, None]


def distance(taps: Sequence[Tokens], other_taps: Sequence[Tokens]) -> float:
    """Return the mean over the taps of structure plus Gram distance; each tap is (1, 196, C)."""
    layers = [
        structure_distance(a, b) + gram_distance(a, b)
        for a, b in (
            (directions(tap[0]), directions(other[0]))
            for tap, other in zip(taps, other_taps, strict=True)
        )
    ]
    return float(np.mean(layers))


def directions(tokens: Tokens) -> Floats:
    """Return tokens (n, C) made length 1, in float64."""
    wide = tokens.astype(np.float64)
    scaled: Floats = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), LEAST_NORM)
    return scaled


def structure_distance(a: Floats, b: Floats) -> float:
    """Return the mean over grid positions of how much the neighbours' affinities differ.

    Windows are clipped at the border; one of 16 tokens counts as much as one of 49.
    """
    similar, other = SHARPNESS * (a @ a.T), SHARPNESS * (b @ b.T)
    differences = [
        np.abs(_affinities(similar, near) - _affinities(other, near)).mean()
        for near in neighbourhoods(len(a))
    ]
    return float(np.mean(differences))


def neighbourhoods(n_tokens: int) -> list[list[int]]:
    """Return the numbers of the tokens in the 7 x 7 window around each of a square grid's tokens.

    Raises:
        ShapeError: the tokens don't fill a square grid.
    """
    side = round(n_tokens**0.5)
    if side * side != n_tokens:
        raise ShapeError(f"{n_tokens} tokens don't fill a square grid.")
    near = [range(max(0, i - RADIUS), min(side, i + RADIUS + 1)) for i in range(side)]
    return [
        [row * side + column for row, column in product(near[i], near[j])]
        for i, j in product(range(side), repeat=2)
    ]


def _affinities(similar: Floats, near: list[int]) -> Floats:
    """Return the softmax of each row of similarities within one neighbourhood."""
    logits = similar[np.ix_(near, near)]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    affinities: Floats = shares / shares.sum(axis=1, keepdims=True)
    return affinities


def gram_distance(a: Floats, b: Floats) -> float:
    """Return the mean difference of the channels' Gram matrices, each over 196 C."""
    return float(np.abs(a.T @ a - b.T @ b).mean() / a.size)
