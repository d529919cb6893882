"""The net that labels cells of a screen; `export.traces` writes it as a graph."""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Convolutions in order: name, channels before and after, side of the kernel, stride.
LAYERS: tuple[tuple[str, int, int, int, int], ...] = (
    ("fine_0", 1, 16, 5, 4),
    ("fine_1", 16, 32, 3, 2),
    ("fine_2", 32, 32, 3, 1),
    ("middle_0", 32, 48, 3, 2),
    ("middle_1", 48, 48, 3, 1),
    ("middle_2", 48, 48, 3, 1),
    ("coarse_0", 48, 64, 3, 2),
    ("coarse_1", 64, 64, 3, 1),
    ("coarse_2", 64, 64, 3, 1),
    ("to_middle", 112, 48, 1, 1),
    ("to_fine", 80, 32, 1, 1),
    ("labels", 32, 3, 1, 1),
)


class TraceCells(nn.Module):
    """Gives (n, label, h / 8, w / 8) logits of screens (n, 1, h, w) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({layer[0]: _layer(*layer) for layer in LAYERS})

    def forward(self, screens: Tensor) -> Tensor:
        """Return the logits."""
        fine = self._through(screens, "fine_0", "fine_1", "fine_2")
        middle = self._through(fine, "middle_0", "middle_1", "middle_2")
        coarse = self._through(middle, "coarse_0", "coarse_1", "coarse_2")
        coarse = coarse + coarse.mean(dim=(2, 3), keepdim=True)
        doubled = functional.interpolate(coarse, scale_factor=2)
        middle = self._through(torch.cat([doubled, middle], dim=1), "to_middle")
        doubled = functional.interpolate(middle, scale_factor=2)
        return self._through(torch.cat([doubled, fine], dim=1), "to_fine", "labels")

    def _through(self, maps: Tensor, *names: str) -> Tensor:
        for name in names:
            maps = self.layers[name](maps)
        return maps


def _layer(name: str, before: int, after: int, side: int, stride: int) -> nn.Sequential:
    if name == "labels":
        return nn.Sequential(nn.Conv2d(before, after, side))
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
