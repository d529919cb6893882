"""Give a graph that holds an encoder one more output: what its taps say of each quarter cell.

MedQM-I reads all taps at 7 by 7 cells of a window, each the mean of the tokens in it that lie in
the mask. One run of the encoder serves it and NRQ.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from sonoquality.export.graph import Graph

CELLS, CELL_COUNTS = "cells", "cell_counts"
SIDE = 7  #: cells of a window along a side; each is 2 by 2 tokens
TOKENS = 14


class CellsError(ValueError):
    """The graph holds no encoder as `export.encoder` writes it."""


def with_cells(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with outputs `cells` (n, 49, tap * width) and `cell_counts` (n, 49).

    A count is the share of a cell's four tokens that lie in the mask; a cell without any is 0.

    Raises:
        CellsError: the taps are not where `export.encoder` leaves them.
    """
    taps, counts, width = _taps_of(model)
    g = Graph(prefix="cells_")
    row = g.reshape(counts, -1, TOKENS * TOKENS, 1)
    shares = _averaged(g, g.reshape(counts, -1, 1, TOKENS, TOKENS))
    floor = g.at_least(shares, 1e-6)
    pooled = []
    for tap in taps:
        kept = g.add("Transpose", g.add("Mul", tap, row), perm=[0, 2, 1])
        grid = g.reshape(kept, -1, width, TOKENS, TOKENS)
        mean = g.add("Div", _averaged(g, grid), floor)
        flat = g.reshape(mean, -1, width, SIDE * SIDE)
        pooled.append(g.add("Transpose", flat, perm=[0, 2, 1]))
    g.add("Concat", *pooled, axis=2, output=CELLS)
    g.add("Reshape", shares, g.constant([-1, SIDE * SIDE], np.int64), output=CELL_COUNTS)
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.graph.node.extend(g.nodes)
    whole.graph.initializer.extend(g.constants)
    for name, shape in (
        (CELLS, ("n", SIDE * SIDE, len(taps) * width)),
        (CELL_COUNTS, ("n", SIDE * SIDE)),
    ):
        whole.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _averaged(g: Graph, grid: str) -> str:
    return g.add("AveragePool", grid, kernel_shape=[2, 2], strides=[2, 2])


def _taps_of(model: onnx.ModelProto) -> tuple[list[str], str, int]:
    """Return the names of the taps' tokens (n, 196, width) and of the counts; the width."""
    made = {output: node for node in model.graph.node for output in node.output}
    joined = made.get("taps")
    if joined is None or "counts" not in made:
        raise CellsError("The graph has no outputs `taps` and `counts` of an encoder of ours.")
    found = []
    for pooled in joined.input:
        product = made[made[pooled].input[0]]  # (counts @ tap) / total
        if product.op_type != "MatMul":
            raise CellsError("The graph pools its taps in another way than `export.encoder`.")
        found.append(product.input[1])
    shape = next(each for each in model.graph.output if each.name == "taps").type.tensor_type.shape
    return found, "counts", int(shape.dim[2].dim_value)
