"""A small network that enlarges a picture: residual blocks, then channels enlarged and mixed.

After EDSR without its scaling (Lim et al., arXiv 1707.02921), with what a bicubic enlargement lacks
as its output. Pixels out of channels, as there, leave a checkerboard under some losses; enlarging
first doesn't (Odena et al., Distill 2016, 10.23915/distill.00003).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FINE_WIDTH = 16  #: channels at the full size


class Restorer(nn.Module):
    """Enlarges (n, 1, h, w) by a whole factor."""

    def __init__(self, factor: int, width: int, n_blocks: int) -> None:
        super().__init__()
        self.factor = factor
        self.head = _conv(1, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width))
            for _ in range(n_blocks)
        )
        self.fine, self.tail = _conv(width, FINE_WIDTH), _conv(FINE_WIDTH, 1)
        for parameter in self.tail.parameters():
            nn.init.zeros_(parameter)

    def forward(self, small: Tensor) -> Tensor:
        """Return (n, 1, factor x h, factor x w); begins as the bicubic enlargement."""
        x = self.head(small)
        for block in self.blocks:
            x = x + block(x)
        large = functional.interpolate(x, scale_factor=self.factor, mode="bilinear")
        lacking: Tensor = self.tail(functional.relu(self.fine(large)))
        return enlarged(small, self.factor) + lacking


def enlarged(small: Tensor, factor: int) -> Tensor:
    """Enlarge by bicubic interpolation, what everyone has."""
    return functional.interpolate(small, scale_factor=factor, mode="bicubic")


def reduced(pictures: Tensor, factor: int) -> Tensor:
    """Average factor x factor pixels and round to 8 bits: a picture with fewer pixels."""
    return torch.round(functional.avg_pool2d(pictures, factor) * 255.0) / 255.0


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect")
