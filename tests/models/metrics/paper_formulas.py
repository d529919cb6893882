"""The formulas of SCIENCE.md §3.2 and §3.3, written down line by line, as slowly as they read.

Nothing here is shared with the package: loops where it has matrices, SciPy's densities where it
has its own.
"""

import numpy as np
from scipy import special, stats

from sonoquality.arrays import Floats, Luma, Tokens

Organ = dict[str, Floats]


def mirrored(place: int, side: int) -> int:
    """Reflect a place into 0..side-1 about the outermost pixels, which are not repeated (101)."""
    while not 0 <= place < side:
        place = -place if place < 0 else 2 * (side - 1) - place
    return place


def padded(luma: Luma) -> Luma:
    """Reflect-pad evenly to at least 224 each side."""
    height, width = luma.shape
    top, left = max(0, 224 - height) // 2, max(0, 224 - width) // 2
    large = np.empty((max(224, height), max(224, width)), np.uint8)
    for i in range(large.shape[0]):
        for j in range(large.shape[1]):
            large[i, j] = luma[mirrored(i - top, height), mirrored(j - left, width)]
    return large


def corners(height: int, width: int) -> list[tuple[int, int]]:
    """List the grid row by row, the bottom row, the right column, the corner; none twice."""
    found: list[tuple[int, int]] = []

    def add(corner: tuple[int, int]) -> None:
        if corner not in found:
            found.append(corner)

    tops = [y for y in range(0, height, 112) if y + 224 <= height]
    lefts = [x for x in range(0, width, 112) if x + 224 <= width]
    for y in tops:
        for x in lefts:
            add((y, x))
    for x in lefts:
        add((height - 224, x))
    for y in tops:
        add((y, width - 224))
    add((height - 224, width - 224))
    if len(found) > 16:
        found = [
            found[i] for i in np.random.default_rng(2026).choice(len(found), 16, replace=False)
        ]
    return found


def windows(luma: Luma) -> list[Floats]:
    """Cut 224 x 224 windows in [0, 1]."""
    large = padded(luma)
    return [large[y : y + 224, x : x + 224] / 255.0 for y, x in corners(*large.shape)]


def descriptor(taps: list[Tokens]) -> Floats:
    """Return z of one window: L2norm( concat_l mean_i h_l,i ); each tap is (196, C)."""
    z: Floats = np.concatenate([np.mean(list(tap), axis=0) for tap in taps])
    z /= np.sqrt(np.sum(z * z))
    return z


def log_density(z: Floats, organ: Organ) -> float:
    """Return log p(z | organ) through SciPy's Gaussians."""
    u = organ["pca_components"] @ (z - organ["pca_mean"])
    return float(
        special.logsumexp(
            [
                np.log(w) + stats.norm(m, np.sqrt(s2)).logpdf(u).sum()
                for w, m, s2 in zip(
                    organ["gmm_weights"], organ["gmm_means"], organ["gmm_covariances"], strict=True
                )
            ]
        )
    )


def nrq(descriptors: list[Floats], organs: list[Organ]) -> float:
    """Return NRQ under the equal mixture of some organs; of one organ, under that one."""
    log_p = [
        special.logsumexp([log_density(z, organ) for organ in organs]) - np.log(len(organs))
        for z in descriptors
    ]
    bad = sorted((-float(log) for log in log_p), reverse=True)
    k = max(1, round(0.15 * len(bad)))
    return -float(np.mean(bad[:k]))


def ulpips(taps: list[Tokens], other_taps: list[Tokens]) -> float:
    """Return the distance of two views; each tap is (196, C)."""
    layers = []
    for tap, other in zip(taps, other_taps, strict=True):
        g, h = unit_rows(tap), unit_rows(other)
        n, channels = g.shape
        structure = float(np.mean([around(g, h, i, j) for i in range(14) for j in range(14)]))
        gram = np.abs(g.T @ g / (n * channels) - h.T @ h / (n * channels)).mean()
        layers.append(structure + gram)
    return float(np.mean(layers))


def unit_rows(tokens: Tokens) -> Floats:
    """Divide each token by its length."""
    return np.array([t.astype(float) / np.sqrt((t.astype(float) ** 2).sum()) for t in tokens])


def around(g: Floats, h: Floats, i: int, j: int) -> float:
    """Return mean | P_i(A) - P_i(B) | in the 7 x 7 window around (i, j), clipped at the border."""
    near = [
        14 * row + column
        for row in range(max(0, i - 3), min(13, i + 3) + 1)
        for column in range(max(0, j - 3), min(13, j + 3) + 1)
    ]
    p, q = (special.softmax(20.0 * (x[near] @ x[near].T), axis=1) for x in (g, h))
    return float(np.abs(p - q).mean())
