"""Distances between two pictures of one scan that need torch; lower is more alike.

All take working images (h, w) in [0, 1] of one size and one mask, and compare what lies in its
box, with everything outside the mask black in both.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from sonoquality.arrays import Mask, UnitImage
from sonoquality.networks.efficientnet_lite0 import pretrained

LEAST_SIDE = 176  #: five scales with a window of 11 px


def ms_ssim(a: UnitImage, b: UnitImage, mask: Mask) -> float:
    """1 - multi-scale SSIM of five scales (Wang 2003), by torchmetrics.

    The black around the scan counts as alike: values are comparable within one mask only.
    """
    first, second = (_boxed(each, mask, LEAST_SIDE) for each in (a, b))
    found = multiscale_structural_similarity_index_measure(first, second, data_range=1.0)
    return 1.0 - float(found)


def lpips_style(a: UnitImage, b: UnitImage, mask: Mask) -> float:
    """Squared distance of unit features of EfficientNet-Lite0, in LPIPS' manner (Zhang 2018).

    As LPIPS' unlearned form: features of five sizes, each position's channels to unit length,
    squared differences averaged over the scan, sizes averaged. No learned weights.
    """
    return lpips_between(lpips_features(a, mask), lpips_features(b, mask), mask)


@torch.no_grad()
def lpips_features(image: UnitImage, mask: Mask) -> list[Tensor]:
    """Return the features that `lpips_style` compares, to be kept for a reference."""
    return [
        functional.normalize(found, dim=1)
        for found in pretrained().features(_boxed(image, mask, 32))
    ]


@torch.no_grad()
def lpips_between(a: list[Tensor], b: list[Tensor], mask: Mask) -> float:
    """Return `lpips_style` of two pictures' features."""
    counts = _boxed(np.ones(mask.shape, np.float32), mask, 32)
    return float(np.mean([_unlike(x, y, counts) for x, y in zip(a, b, strict=True)]))


def _unlike(x: Tensor, y: Tensor, counts: Tensor) -> float:
    away = (x - y).square().sum(dim=1, keepdim=True)
    weight = functional.adaptive_avg_pool2d(counts, (away.shape[-2], away.shape[-1]))
    return float((away * weight).sum() / weight.sum())


def _boxed(image: NDArray[np.float32], mask: Mask, least: int) -> Tensor:
    """Cut to the mask's box, black outside the mask, at least `least` px a side: (1, 1, h, w)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = np.where(mask[box], image[box], np.float32(0))
    inside = np.pad(inside, [(0, max(least - side, 0)) for side in inside.shape])
    return torch.from_numpy(np.ascontiguousarray(inside))[None, None]
