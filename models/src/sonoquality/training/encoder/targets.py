"""What can be measured on a window without any label: texture features, and what a fault changed.

The texture features are those of the baseline (`metrics.baselines.dct`), without masks: a token
counts or does not. Learning them keeps the encoder from being less informed than its baseline.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy import fft
from torch import Tensor
from torch.nn import functional

from sonoquality.metrics.baselines.dct import BLOCK, BRIGHT, DARK, ENERGY_FLOOR, band_matrix

#: Mean change of grey over a token below which nothing is taken to have changed.
LEAST_CHANGE = 0.4 / 255
N_BANDS = 15
N_TEXTURES = 38
N_CHANGES = 3


class TextureBasis(NamedTuple):
    """Constant matrices of the block transform."""

    cosines: Tensor  #: (256, 256): pixels of a block to its coefficients
    bands: Tensor  #: (256, 15): squared coefficients to band energies


def texture_basis() -> TextureBasis:
    """Return the block transform of `metrics.baselines` as matrices."""
    one = fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
    cosines = np.kron(one, one).T
    return TextureBasis(
        torch.tensor(cosines, dtype=torch.float32),
        torch.tensor(band_matrix(), dtype=torch.float32),
    )


def textures(x: Tensor, basis: TextureBasis) -> Tensor:
    """Measure every token at two scales.

    Args:
        x: (n, 1, 224, 224) in [0, 1].
        basis: from `texture_basis`.

    Returns:
        (n, 196, 38): 19 features of each 16-px block, and 19 of the 32-px block it lies in.
    """
    fine = _block_features(x, basis)
    coarse = _block_features(functional.avg_pool2d(x, 2), basis)
    wide = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
    return torch.cat([fine, wide], dim=1).flatten(2).transpose(1, 2)


def _block_features(x: Tensor, basis: TextureBasis) -> Tensor:
    side = x.shape[-1] // BLOCK
    blocks = functional.unfold(x, BLOCK, stride=BLOCK).transpose(1, 2)
    mean = blocks.mean(dim=2, keepdim=True)
    rest = blocks - mean
    energy = (rest @ basis.cosines).square() @ basis.bands
    others = [
        mean,
        rest.square().mean(dim=2, keepdim=True).sqrt(),
        (blocks < DARK).float().mean(dim=2, keepdim=True),
        (blocks > BRIGHT).float().mean(dim=2, keepdim=True),
    ]
    features = torch.cat([torch.log(energy + ENERGY_FLOOR), *others], dim=2)
    return features.transpose(1, 2).reshape(len(x), -1, side, side)


def changes(pixels: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """Measure what the faults of a ladder changed.

    Args:
        pixels: (n, 3, 224, 224) clean, lower, higher; in [0, 1].
        texture: (n, 3, 196, 38) of the same.

    Returns:
        (n, 3, 196, 3): strength of the change (logarithmic, 0 none, about 1 gross), brighter or
        darker, finer or coarser; and mean absolute change of grey (n, 3, 196).
    """
    difference = (pixels - pixels[:, :1]).abs()
    strength = functional.avg_pool2d(difference, BLOCK).flatten(2)
    shift = texture - texture[:, :1]
    brighter = shift[..., N_BANDS].mul(5).clamp(-1, 1)
    finer = shift[..., :N_BANDS].mean(dim=-1).div(3).clamp(-1, 1)
    scaled = torch.log1p(strength * 255) / np.log(64)
    return torch.stack([scaled, brighter, finer], dim=-1), strength


def visible(strength: Tensor, inside: Tensor) -> Tensor:
    """Return (n, 3) in [0, 1]: whether a fault shows in this window at all.

    A shadow may lie beside the window; from a seventh of the tokens on, a fault shows fully.
    """
    touched = ((strength > LEAST_CHANGE) & inside[:, None]).float().sum(dim=2)
    share = touched / inside.float().sum(dim=1, keepdim=True).clamp(min=1)
    return (7 * share).clamp(max=1)
