"""Write the net that labels cells of a screen as an ONNX graph."""

from typing import cast

import onnx
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sonoquality.export.graph import Graph, model_of
from sonoquality.networks.trace_cells import TraceCells
from sonoquality.traces import LABELS, N_CELLS, SEEN


def trace_model(net: TraceCells) -> onnx.ModelProto:
    """Return the graph of a net, its norms folded into its convolutions.

    Input `screens`, (n, 1, 256, 320) in [-1, 1]; output `shares`, (n, 32, 40, 3), how likely each
    cell shows each label. Both float32.
    """
    writer = _Writer(net.eval())
    fine = writer.through("screens", "fine_0", "fine_1", "fine_2")
    middle = writer.through(fine, "middle_0", "middle_1", "middle_2")
    coarse = writer.through(middle, "coarse_0", "coarse_1", "coarse_2")
    g = writer.g
    coarse = g.add("Add", coarse, g.add("GlobalAveragePool", coarse))
    middle = writer.through(writer.joined(coarse, middle), "to_middle")
    logits = writer.through(writer.joined(middle, fine), "to_fine", "labels")
    shares = g.add("Softmax", logits, axis=1)
    g.add("Transpose", shares, perm=[0, 2, 3, 1], output="shares")
    screens, found = ("n", 1, *SEEN), ("n", *N_CELLS, len(LABELS))
    return model_of(g, "traces", {"screens": screens}, {"shares": found})


class _Writer:
    """The nodes of one net."""

    def __init__(self, net: TraceCells) -> None:
        self.g = Graph()
        self._layers = net.layers

    def through(self, maps: str, *names: str) -> str:
        """Put maps through layers."""
        for name in names:
            convolution, *rest = cast("tuple[nn.Conv2d, ...]", self._layers[name])
            if rest:
                convolution = fuse_conv_bn_eval(convolution, cast("nn.BatchNorm2d", rest[0]))
            kernel, offset = (value.detach().numpy() for value in convolution.parameters())
            side, stride = kernel.shape[-1], convolution.stride[0]
            maps = self.g.add(
                "Conv",
                maps,
                self.g.constant(kernel),
                self.g.constant(offset),
                kernel_shape=[side, side],
                strides=[stride, stride],
                pads=[side // 2] * 4,
            )
            maps = self.g.add("Relu", maps) if rest else maps
        return maps

    def joined(self, coarse: str, fine: str) -> str:
        """Double the side of coarse maps and put fine ones beside them."""
        scales = self.g.constant((1, 1, 2, 2))
        how = {"mode": "nearest", "nearest_mode": "floor"}
        how["coordinate_transformation_mode"] = "asymmetric"
        return self.g.add("Concat", self.g.add("Resize", coarse, "", scales, **how), fine, axis=1)
