"""The same graph in less: weights in half precision, or products in 8 bits. Needs `onnx`.

8 bits: weights signed and per channel, activations unsigned, of the blocks' linear maps and of
queries with keys. The stem stays in fp32: it is where the steps of 8-bit grey are told apart, and
quantising it costs three times the difference in the features and saves little.
"""

import logging
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization as ort

from sonoquality.arrays import Windows
from sonoquality.export.graph import HALF

BATCH = 8
SMALLEST = 64  #: tensors of fewer numbers stay in fp32
KEPT_RANGE: dict[str, Any] = {"OpTypesToExcludeOutputQuantization": ["MatMul"]}


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep the weights in fp16 and widen them when the graph is loaded; inputs stay float32.

    Arithmetic stays in fp32, since the runtime has none in fp16 on a CPU.
    """
    half = deepcopy(model)
    widened = []
    for tensor in half.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}{HALF}"))
        widened.append(
            helper.make_node("Cast", [f"{name}{HALF}"], [name], name=name, to=TensorProto.FLOAT)
        )
    nodes = [*widened, *half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    onnx.checker.check_model(half, full_check=True)
    return half


def to_int8_static(model: onnx.ModelProto, pixels: Windows, masks: Windows) -> onnx.ModelProto:
    """Quantise linear maps with ranges of activations found on windows (n, 1, 224, 224)."""
    return _quantised(
        model,
        ort.quantize_static,
        calibration_data_reader=_Reader(pixels, masks),
        quant_format=ort.QuantFormat.QDQ,
        activation_type=ort.QuantType.QUInt8,
        calibrate_method=ort.CalibrationMethod.MinMax,
        extra_options=KEPT_RANGE,
    )


def to_int8_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise linear maps with ranges found anew in every batch: companions move a window."""
    return _quantised(model, ort.quantize_dynamic, extra_options={"MatMulConstBOnly": True})


def products(model: onnx.ModelProto) -> list[str]:
    """Return the names of products with fixed weights, and of queries with keys.

    Attention's other product, of weights with values, keeps fp32: its weights crowd near 0.
    """
    fixed = {tensor.name for tensor in model.graph.initializer}
    ranked = {node.input[0] for node in model.graph.node if node.op_type == "Softmax"}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and (node.input[1] in fixed or node.output[0] in ranked)
    ]


def _quantised(model: onnx.ModelProto, quantise: Any, **options: Any) -> onnx.ModelProto:
    root = logging.getLogger()  # to which the quantiser talks, about a step that is not needed
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantise(
                deepcopy(model),
                path,
                per_channel=True,
                weight_type=ort.QuantType.QInt8,
                op_types_to_quantize=["MatMul"],
                nodes_to_quantize=products(model),
                **options,
            )
            found = onnx.load(path)
    finally:
        root.setLevel(level)
    helper.set_model_props(found, {p.key: p.value for p in model.metadata_props})
    return found


class _Reader(ort.CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """Windows in batches, once."""

    def __init__(self, pixels: Windows, masks: Windows) -> None:
        self._batches = self._cut(pixels, masks)

    @staticmethod
    def _cut(pixels: Windows, masks: Windows) -> Iterator[dict[str, NDArray[np.float32]]]:
        for first in range(0, len(pixels), BATCH):
            cut = slice(first, first + BATCH)
            yield {"windows": pixels[cut], "mask": masks[cut]}

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch; None when there is no more."""
        return next(self._batches, None)
