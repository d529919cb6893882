"""Put MedQM-I behind a graph that has cells: one run of the encoder gives NRQ and utility.

All windows of a run belong to one image. What is not known at the bedside, organ and view, is the
row "unknown"; the rows of priors are constants. Written node by node, as `networks.medqm` computes.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from sonoquality.export.cells import CELL_COUNTS, CELLS, SIDE
from sonoquality.export.graph import Graph
from sonoquality.utility import DOUBT, MAPS, SEVERITIES, UTILITY

TEXTURES = "dct"
TOP = 2
HIDDEN = -1e4  #: added to what must not be looked at
SEVEREST = 4.0
EPSILON = 1e-5  #: of the norms, as torch has it
Weights = Mapping[str, NDArray[np.float32]]


def with_medqm(model: onnx.ModelProto, weights: Weights, rows: tuple[int, int]) -> onnx.ModelProto:
    """Return the graph with four more outputs.

    `utility` (1,), 0 to 1, how well the image will serve; `utility_logvar` (1,), how unsure
    that is; `severities` (1, attribute), 0 to 4; `attribute_maps` (n, attribute, 7, 7), where each
    attribute looks, summing to at most 1 over all windows.

    Args:
        model: graph with the outputs of `export.cells` and `dct`.
        weights: of `networks.medqm.Medqm` with all its parts, by name.
        rows: number of organs and of views; the last of each is the unknown one.
    """
    g = Graph(prefix="medqm_")
    _Writer(g, weights, rows).write()
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.graph.node.extend(g.nodes)
    whole.graph.initializer.extend(g.constants)
    n_attributes = len(weights["severity_bias"])
    for name, shape in (
        (UTILITY, (1,)),
        (DOUBT, (1,)),
        (SEVERITIES, (1, n_attributes)),
        (MAPS, ("n", n_attributes, SIDE, SIDE)),
    ):
        whole.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.checker.check_model(whole, full_check=True)
    return whole


class _Writer:
    def __init__(self, g: Graph, weights: Weights, rows: tuple[int, int]) -> None:
        self.g, self.w = g, weights
        self.width = weights["queries"].shape[1]
        self.heads = 4
        self.n_attributes = len(weights["severity_bias"])
        self.priors = self._rows(rows)

    def write(self) -> None:
        """Write everything from cells to outputs."""
        g = self.g
        tokens, hidden = self._tokens()
        first = g.constant(self.priors[None])
        looked, weights = self._look("prior_look", first, tokens, hidden)
        rows = g.add("Add", first, looked)
        queries = g.constant(self.w["queries"][None])
        n_blocks = 1 + max(int(k.split(".")[1]) for k in self.w if k.startswith("blocks."))
        for number in range(n_blocks):
            queries = self._block(f"blocks.{number}", queries, rows, tokens, hidden)
        queries = self._norm("last", queries)
        mean = g.add("ReduceMean", queries, axes=[1], keepdims=0)
        self._score(queries, mean, rows)
        raw = g.reshape(self._linear("variance", mean), -1)
        bounds = g.constant(-4.0), g.constant(2.0)
        g.add("Max", g.add("Min", raw, bounds[1]), bounds[0], output=DOUBT)
        own = self._slice(rows, 2, 2 + self.n_attributes, axis=1)
        flat = g.reshape(self._linear("severity", own), 1, self.n_attributes)
        raised = g.add("Add", flat, g.constant(self.w["severity_bias"][None]))
        g.add("Mul", g.add("Sigmoid", raised), g.constant(SEVEREST), output=SEVERITIES)
        self._maps(weights)

    def _rows(self, rows: tuple[int, int]) -> NDArray[np.float32]:
        """Return the rows (2 + attribute, width) of an unknown organ and view."""
        table = self.w["sentences"] @ self.w["prior_in.weight"].T + self.w["prior_in.bias"]
        n_organs, n_views = rows
        return np.concatenate(
            [table[[n_organs - 1, n_organs + n_views - 1]], table[n_organs + n_views :]]
        ).astype(np.float32)

    def _tokens(self) -> tuple[str, str]:
        """Return (1, token, width) and what hides tokens, (1, 1, 1, token)."""
        g, tap = self.g, 128
        n_taps = self.w["cell_in.weight"].shape[1] // tap
        normed = [
            self._norm(f"tap_norms.{k}", self._slice(CELLS, k * tap, (k + 1) * tap, axis=2))
            for k in range(n_taps)
        ]
        seen = self._linear("cell_in", g.add("Concat", *normed, axis=2))
        cells = g.reshape(seen, 1, -1, self.width)
        norm = {key: self.w[f"texture_norm.{key}"] for key in ("weight", "bias")}
        spread = np.sqrt(self.w["texture_norm.running_var"] + EPSILON)
        scale = norm["weight"] / spread
        shift = norm["bias"] - self.w["texture_norm.running_mean"] * scale
        flat = g.add("Add", g.scaled(TEXTURES, scale), g.constant(shift))
        windows = g.reshape(self._linear("texture_in", flat), 1, -1, self.width)
        tokens = g.add("Concat", cells, windows, axis=1)
        kept = g.add("Greater", CELL_COUNTS, g.constant(0.0))
        off = g.add("Where", kept, g.constant(0.0), g.constant(HIDDEN))
        none = g.scaled(self._slice(TEXTURES, 0, 1, axis=1), 0.0)
        hidden = g.add("Concat", g.reshape(off, 1, -1), g.reshape(none, 1, -1), axis=1)
        return tokens, g.reshape(hidden, 1, 1, 1, -1)

    def _look(self, name: str, rows: str, tokens: str, hidden: str | None) -> tuple[str, str]:
        """Return (1, row, width) and the weights (1, head, row, token), as `Look`."""
        g = self.g
        asked = self._norm(f"{name}.norm_rows", rows)
        seen = self._norm(f"{name}.norm_tokens", tokens)
        query = self._split(self._linear(f"{name}.query", asked), [0, 2, 1, 3])
        key = self._split(self._linear(f"{name}.key", seen), [0, 2, 3, 1])
        value = self._split(self._linear(f"{name}.value", seen), [0, 2, 1, 3])
        close = g.scaled(g.add("MatMul", query, key), (self.width // self.heads) ** -0.5)
        if hidden is not None:
            close = g.add("Add", close, hidden)
        weights = g.add("Softmax", close, axis=-1)
        mixed = g.add("Transpose", g.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self._linear(f"{name}.out", g.reshape(mixed, 1, -1, self.width)), weights

    def _block(self, name: str, queries: str, rows: str, tokens: str, hidden: str) -> str:
        g = self.g
        around = g.add("Concat", queries, rows, axis=1)
        queries = g.add("Add", queries, self._look(f"{name}.among", queries, around, None)[0])
        queries = g.add("Add", queries, self._look(f"{name}.across", queries, tokens, hidden)[0])
        inner = self._linear(f"{name}.think.1", self._norm(f"{name}.think.0", queries))
        return g.add("Add", queries, self._linear(f"{name}.think.3", self._gelu(inner)))

    def _score(self, queries: str, mean: str, rows: str) -> None:
        g = self.g
        organ = g.reshape(self._slice(rows, 0, 1, axis=1), 1, self.width)
        asked = self._linear("gate", g.add("Concat", mean, organ, axis=1))
        gates = g.add("Softmax", asked, axis=1)
        n_experts = len(self.w["gate.bias"])
        top = g.add("TopK", gates, g.constant([TOP], np.int64), axis=1, others=("medqm_places",))
        least = self._slice(top, TOP - 1, TOP, axis=1)
        chosen = g.add("Where", g.add("GreaterOrEqual", gates, least), gates, g.constant(0.0))
        share = g.add("Div", chosen, g.sum(chosen, 1))
        said = g.add(
            "Concat", *(self._expert(f"experts.{k}", queries) for k in range(n_experts)), axis=1
        )
        mixed = g.scaled(g.sum(g.add("Mul", share, said), 1), self.w["alpha"])
        logit = g.add("Add", self._expert("shared", queries), mixed)
        self._read(g.reshape(g.add("Sigmoid", logit), 1))

    def _read(self, place: str) -> None:
        """Write the utility at a place (1,) of the scale."""
        g, scale = self.g, self.w["scale"]
        steps = g.scaled(place, float(len(scale) - 1))
        left = g.add("Min", g.add("Floor", steps), g.constant(float(len(scale) - 2)))
        knot = g.add("Cast", left, to=TensorProto.INT64)
        rise = g.add("Gather", g.constant(np.diff(scale)), knot)
        up = g.add("Mul", g.add("Sub", steps, left), rise)
        g.add("Add", g.add("Gather", g.constant(scale), knot), up, output=UTILITY)

    def _expert(self, name: str, queries: str) -> str:
        """Return (1, 1)."""
        g = self.g
        both = self._linear(f"{name}.outer", self._gelu(self._linear(f"{name}.inner", queries)))
        score, weight = self._slice(both, 0, 1, axis=2), self._slice(both, 1, 2, axis=2)
        share = g.add("Sigmoid", weight)
        total = g.sum(g.add("Mul", score, share), 1, 2, keep=False)
        by = g.at_least(g.sum(share, 1, 2, keep=False), 1e-6)
        return g.reshape(g.add("Div", total, by), 1, 1)

    def _maps(self, weights: str) -> None:
        """Write where attributes look: the mean over heads, without organ, view and textures."""
        g = self.g
        mean = g.add("ReduceMean", weights, axes=[1], keepdims=0)
        own = self._slice(mean, 2, 2 + self.n_attributes, axis=1)
        n_cells = g.add("Size", CELL_COUNTS)
        ends = g.reshape(n_cells, 1)
        axis = g.constant([2], np.int64)
        kept = g.add("Slice", own, g.constant([0], np.int64), ends, axis)
        grid = g.reshape(kept, self.n_attributes, -1, SIDE, SIDE)
        g.add("Transpose", grid, perm=[1, 0, 2, 3], output=MAPS)

    def _linear(self, name: str, x: str) -> str:
        g = self.g
        product = g.add("MatMul", x, g.constant(self.w[f"{name}.weight"].T))
        return g.add("Add", product, g.constant(self.w[f"{name}.bias"]))

    def _norm(self, name: str, x: str) -> str:
        scale, bias = (self.g.constant(self.w[f"{name}.{key}"]) for key in ("weight", "bias"))
        return self.g.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def _gelu(self, x: str) -> str:
        g = self.g
        part = g.add("Erf", g.add("Div", x, g.constant(np.sqrt(2.0))))
        return g.scaled(g.add("Mul", x, g.add("Add", part, g.constant(1.0))), 0.5)

    def _split(self, x: str, axes: list[int]) -> str:
        grid = self.g.reshape(x, 1, -1, self.heads, self.width // self.heads)
        return self.g.add("Transpose", grid, perm=axes)

    def _slice(self, x: str, start: int, end: int, axis: int) -> str:
        ends = (self.g.constant([k], np.int64) for k in (start, end, axis))
        return self.g.add("Slice", x, *ends)
