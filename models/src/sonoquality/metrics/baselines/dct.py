"""The no-weights features: 19 numbers per 16-px block at each of two scales, 38 per window.

Per block: log energy in 15 bands of its DCT (5 radial x 3 orientations), mean, standard deviation,
share below .02 and share above .98 (SCIENCE.md §8). Pixels outside the mask take no part: they are
set to the block's own mean, and energies are taken per pixel that counts. This is the reference;
`sonoquality.export.dct` writes the same computation as a graph.
"""

from itertools import pairwise

import numpy as np
from scipy import fft, ndimage

from sonoquality.arrays import Floats, Windows

BLOCK = 16
WINDOW = 224
GRID = WINDOW // BLOCK
N_BLOCK_FEATURES = 19
N_FEATURES = 2 * N_BLOCK_FEATURES
#: Radii (in DCT index) at which one band ends and the next begins; the mean itself is in none.
RADII = (0.5, 2.0, 4.0, 7.0, 11.0, np.inf)
#: Angles that part along-the-beam, oblique and across-the-beam detail, in degrees.
ANGLES = (-1.0, 30.0, 60.0, 91.0)
#: Mean squared coefficient of the rounding to 8 bits: below it is no picture, only rounding.
ENERGY_FLOOR = 1.0 / (12.0 * 255.0**2)
DARK, BRIGHT = 0.02, 0.98
#: A block counts when at least this share of it lies in the mask.
LEAST_SHARE = 0.5


def band_matrix() -> Floats:
    """Return (256, 15): column b averages the squared DCT coefficients (row-major) of band b."""
    v, u = np.mgrid[:BLOCK, :BLOCK].astype(np.float64)
    radius, angle = np.hypot(u, v), np.degrees(np.arctan2(v, u))
    bands = [
        (near <= radius) & (radius < far) & (low < angle) & (angle <= high)
        for near, far in pairwise(RADII)
        for low, high in pairwise(ANGLES)
    ]
    return np.stack([band.ravel() / band.sum() for band in bands], axis=1)


def blocks_of(image: Floats) -> Floats:
    """Cut (window, side, side) into (window, row, column, 16, 16)."""
    n, side = image.shape[0], image.shape[1] // BLOCK
    return image.reshape(n, side, BLOCK, side, BLOCK).transpose(0, 1, 3, 2, 4)


def block_features(image: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Measure every block of every window at one scale.

    Args:
        image: (window, side, side) in [0, 1].
        weight: same shape, in [0, 1]: how much of each pixel lies in the mask.

    Returns:
        features (window, row, column, 19), and share of each block in the mask (window, row,
        column).
    """
    x, m = blocks_of(image), blocks_of(weight)
    count = m.sum(axis=(-2, -1))
    total = np.maximum(count, 1.0)
    mean = (x * m).sum(axis=(-2, -1)) / total
    rest = (x - mean[..., None, None]) * m
    spectrum = fft.dctn(rest, axes=(-2, -1), norm="ortho") ** 2
    energy = spectrum.reshape(*spectrum.shape[:-2], -1) @ band_matrix()
    energy *= (BLOCK * BLOCK / total)[..., None]
    variance = (rest * (x - mean[..., None, None])).sum(axis=(-2, -1)) / total
    dark = ((x < DARK) * m).sum(axis=(-2, -1)) / total
    bright = ((x > BRIGHT) * m).sum(axis=(-2, -1)) / total
    others = np.stack([mean, np.sqrt(np.maximum(variance, 0.0)), dark, bright], axis=-1)
    features = np.concatenate([np.log(energy + ENERGY_FLOOR), others], axis=-1)
    return features, count / (BLOCK * BLOCK)


def half_scale(image: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Average 2x2 pixels that count; the weight becomes their share."""
    n, side = image.shape[0], image.shape[1] // 2
    m = weight.reshape(n, side, 2, side, 2)
    total = m.sum(axis=(2, 4))
    small = (image.reshape(n, side, 2, side, 2) * m).sum(axis=(2, 4)) / np.maximum(total, 1.0)
    return small, total / 4.0


def window_features(windows: Windows, masks: Windows) -> Floats:
    """Return (window, 38): each block feature averaged over the blocks that count, at both scales.

    Args:
        windows: (window, 1, 224, 224) in [0, 1].
        masks: same shape, 1 in the mask and 0 outside.
    """
    image, weight = windows[:, 0].astype(np.float64), masks[:, 0].astype(np.float64)
    pooled = [pool(*block_features(image, weight))]
    pooled.append(pool(*block_features(*half_scale(image, weight))))
    return np.concatenate(pooled, axis=-1)


def pool(features: Floats, share: Floats) -> Floats:
    """Average block features (window, row, column, k) over the blocks that count."""
    counts = (share >= LEAST_SHARE).astype(np.float64)[..., None]
    mean: Floats = (features * counts).sum(axis=(1, 2)) / np.maximum(counts.sum(axis=(1, 2)), 1.0)
    return mean


def block_counts(masks: Windows) -> Floats:
    """Return (window, 14, 14): 1 where a block of masks (window, 1, 224, 224) counts, else 0."""
    blocks = masks[:, 0].reshape(len(masks), -1, BLOCK, masks.shape[3] // BLOCK, BLOCK)
    return _counted(blocks.astype(np.float64).mean(axis=(2, 4)))


def _counted(share: Floats) -> Floats:
    return (share >= LEAST_SHARE).astype(np.float64)


def token_features(windows: Windows, masks: Windows) -> tuple[Floats, Floats]:
    """Describe single blocks with their neighbours, for the heat map.

    Returns:
        features (window, 14, 14, 38): both scales of each block, averaged over the 3x3 blocks
        around it that count; and 1 where the block itself counts, else 0 (window, 14, 14).
    """
    image, weight = windows[:, 0].astype(np.float64), masks[:, 0].astype(np.float64)
    fine, share = block_features(image, weight)
    coarse, _ = block_features(*half_scale(image, weight))
    coarse = coarse.repeat(2, axis=1).repeat(2, axis=2)
    counts = _counted(share)
    both = np.concatenate([fine, coarse], axis=-1) * counts[..., None]
    around = ndimage.uniform_filter(counts, size=(1, 3, 3), mode="constant")
    smooth = ndimage.uniform_filter(both, size=(1, 3, 3, 1), mode="constant")
    return smooth / np.maximum(around, 1.0 / 18.0)[..., None], counts
