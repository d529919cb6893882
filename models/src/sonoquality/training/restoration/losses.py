"""Distances to the true picture, each a mean over the batch that gradients pass through."""

import torch
from torch import Tensor
from torch.nn import functional

from sonoquality.networks.ulpips import Ulpips
from sonoquality.training.restoration.config import LossMix

SIGMA, SIDE = 1.5, 11
C1, C2 = 0.01**2, 0.03**2


def losses_of(restored: Tensor, truth: Tensor, mix: LossMix, distance: Ulpips) -> dict[str, Tensor]:
    """Return the weighted terms of a loss by name; those of weight 0 are not computed."""
    terms: dict[str, Tensor] = {}
    if mix.l1 > 0:
        terms["l1"] = mix.l1 * (restored - truth).abs().mean()
    if mix.ssim > 0:
        terms["ssim"] = mix.ssim * (1.0 - ssim(restored, truth).mean())
    if mix.ulpips > 0:
        terms["ulpips"] = mix.ulpips * distance(restored, truth).mean()
    return terms


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return (n,): SSIM of pictures (n, 1, height, width) in [0, 1].

    Wang et al. 2004: a Gaussian window of 11 px with sigma 1.5, only where it fits.
    """
    mean_a, mean_b = _blurred(a), _blurred(b)
    spread_a = _blurred(a * a) - mean_a**2
    spread_b = _blurred(b * b) - mean_b**2
    common = _blurred(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * common + C2)
    unlike = (mean_a**2 + mean_b**2 + C1) * (spread_a + spread_b + C2)
    return (alike / unlike).mean(dim=(1, 2, 3))


def _blurred(x: Tensor) -> Tensor:
    places = torch.arange(SIDE, device=x.device, dtype=x.dtype) - SIDE // 2
    bell = torch.exp(-(places**2) / (2 * SIGMA**2))
    bell = bell / bell.sum()
    down = functional.conv2d(x, bell[None, None, :, None])
    return functional.conv2d(down, bell[None, None, None, :])
