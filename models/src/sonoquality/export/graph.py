"""Write ONNX graphs node by node. Needs `onnx`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 9
HALF = "_half"  #: ends the name of a tensor kept in fp16; the node that widens it has the name
ENCODER = "encoder_"  #: begins the names of an encoder's graph that other nodes stand behind
Shape = Sequence[int | str]


class Graph:
    """A growing list of nodes; every method returns the name of what it computes.

    Args:
        prefix: begins the names that are made up, so that nodes can join another graph.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """Add a tensor of fixed numbers."""
        name = f"{self._prefix}c{len(self.constants)}"
        array: NDArray[Any] = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        others: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Add one node; of several outputs the first is returned, the `others` named."""
        name = output or f"{self._prefix}t{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [name, *others], **attributes)
        self.nodes.append(node)
        return name

    def sum(self, x: str, *axes: int, keep: bool = True) -> str:
        """Sum over axes."""
        return self.add("ReduceSum", x, self.constant(axes, np.int64), keepdims=int(keep))

    def reshape(self, x: str, *shape: int) -> str:
        """Give another shape; 0 keeps the batch axis."""
        return self.add("Reshape", x, self.constant(shape, np.int64))

    def at_least(self, x: str, low: float) -> str:
        """Clip from below."""
        return self.add("Max", x, self.constant(low))

    def scaled(self, x: str, factor: object) -> str:
        """Multiply by fixed numbers."""
        return self.add("Mul", x, self.constant(factor))


def model_of(
    g: Graph, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]
) -> onnx.ModelProto:
    """Return a checked model; all inputs and outputs are float32, by name and shape."""
    graph = helper.make_graph(
        g.nodes,
        name,
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
        g.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="sonoquality"
    )
    onnx.checker.check_model(model, full_check=True)
    return model
