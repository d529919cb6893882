"""A small U-Net that outlines one organ: what a fault does to its Dice is what uLPIPS should tell.

After Ronneberger et al. (arXiv 1505.04597), with a stem that halves the picture first and with
batch norm. About half a million parameters.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Segmenter(nn.Module):
    """Gives (n, 1, h, w) logits of an organ in pictures (n, 1, h, w) in [0, 1].

    Sides must be divisible by 2 to the number of widths.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        first = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        )
        befores = (first, *widths[:-1])
        self.down = nn.ModuleList(
            nn.Sequential(*layer(before, width), *layer(width, width))
            for before, width in zip(befores, widths, strict=True)
        )
        rising = widths[::-1]
        self.up = nn.ModuleList(
            nn.Sequential(*layer(below + beside, beside), *layer(beside, beside))
            for below, beside in pairwise(rising)
        )
        self.head = nn.Conv2d(first, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits, at the pictures' size."""
        x, kept = self.stem((pictures - 0.5) / 0.5), []
        for number, block in enumerate(self.down):
            x = block(x if number == 0 else functional.max_pool2d(x, 2))
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2), beside], dim=1))
        return functional.interpolate(
            self.head(x), scale_factor=2, mode="bilinear", align_corners=False
        )


def dice(outlined: Tensor, truth: Tensor) -> Tensor:
    """Return (n,): Dice of two sets of pixels (n, 1, h, w) of bool; 1 where both are empty."""
    common = (outlined & truth).sum(dim=(1, 2, 3)).double()
    sizes = outlined.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))
    return torch.where(sizes > 0, 2.0 * common / sizes.clamp_min(1), 1.0)


def layer(before: int, after: int) -> tuple[nn.Module, ...]:
    """Return a convolution with its norm and bend."""
    convolved = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return convolved, nn.BatchNorm2d(after), nn.ReLU(inplace=True)
