"""A small convolutional network from a picture to a few numbers: classes, or a box."""

import torch
from torch import Tensor, nn

from sonoquality.networks.segmenter import layer


class Classifier(nn.Module):
    """Gives (n, outputs) of pictures (n, 1, side, side) in [0, 1]; some 300,000 weights.

    Args:
        widths: channels from the finest scale, a quarter of the picture's, to the coarsest.
        n_outputs: numbers to give.
        places: whether the numbers say where something is: the last map then stays a grid of 4 by
            4 instead of one mean.
    """

    def __init__(self, widths: tuple[int, ...], n_outputs: int, *, places: bool = False) -> None:
        super().__init__()
        first = widths[0]
        blocks: list[nn.Module] = [
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        ]
        before = first
        for width in widths:
            blocks += [nn.MaxPool2d(2), *layer(before, width), *layer(width, width)]
            before = width
        grid = 4 if places else 1
        self.trunk = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(grid), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(before * grid * grid, n_outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the numbers."""
        out: Tensor = self.head(self.trunk((pictures - 0.5) / 0.5))
        return torch.clamp(out, -30, 30)
