"""Put the experts of a manifold behind an encoder's graph: one run gives features and scores.

The manifold's numbers are inputs of the graph (`metrics.experts_file.tensors_of`), so that another
fit needs another file of tensors and no other graph.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import compose, helper

from sonoquality.export.dct import (
    MAP,
    PIXELS_PER_MAP,
    SIDE,
    block_features,
    scales_of,
    window_features,
)
from sonoquality.export.graph import ENCODER, Graph, Shape, model_of
from sonoquality.metrics import baselines
from sonoquality.metrics.experts import LEAST_LENGTH, ExpertManifold, Level, View
from sonoquality.metrics.experts_file import Tensors, tensors_of
from sonoquality.metrics.reader import DISTANCE_FLOOR, POWERS

FROM_ENCODER = ("taps", "tokens", "counts")


def density_model(encoder: onnx.ModelProto, manifold: ExpertManifold) -> onnx.ModelProto:
    """Return the whole graph for manifolds of this one's experts and sizes.

    Inputs: `windows` and `mask` (n, 1, 224, 224), and the manifold's tensors. Outputs, besides
    those of the encoder: `dct` (n, 38), `block_dct` (n, 14, 14, 38), `energies` (n, expert),
    `badness` (n,), `block_badness` (n, 14, 14), 0 where a block does not count, and
    `block_counts` (n,).

    Args:
        encoder: graph of `export.encoder`, in any precision.
        manifold: gives the experts and the shapes of their tensors; its numbers stay outside.
    """
    tensors = tensors_of(manifold)
    width = len(manifold.reader.centre)
    head = _head(manifold, tensors, width)
    inside = compose.add_prefix(
        encoder, ENCODER, rename_inputs=False, rename_outputs=False, rename_functions=False
    )
    merged = onnx.ModelProto()
    merged.CopyFrom(inside)
    merged.graph.name = "experts"
    merged.graph.node.extend(head.graph.node)
    merged.graph.initializer.extend(head.graph.initializer)
    own = {value.name for value in merged.graph.input} | set(FROM_ENCODER)
    merged.graph.input.extend(value for value in head.graph.input if value.name not in own)
    merged.graph.output.extend(head.graph.output)
    helper.set_model_props(merged, {p.key: p.value for p in encoder.metadata_props})
    onnx.checker.check_model(merged, full_check=True)
    return merged


def _head(manifold: ExpertManifold, tensors: Tensors, width: int) -> onnx.ModelProto:
    writer = _Head(manifold)
    writer.write()
    image: Shape = ("n", 1, SIDE, SIDE)
    inputs: dict[str, Shape] = {
        "windows": image,
        "mask": image,
        "taps": ("n", len(manifold.encoder_taps), width),
        "tokens": ("n", *MAP, width),
        "counts": ("n", *MAP),
        **{name: tensor.shape for name, tensor in tensors.items()},
    }
    outputs: Mapping[str, Shape] = {
        "dct": ("n", baselines.N_FEATURES),
        "block_dct": ("n", *MAP, baselines.N_FEATURES),
        "energies": ("n", len(manifold.window)),
        "badness": ("n",),
        "block_badness": ("n", *MAP),
        "block_counts": ("n",),
    }
    return model_of(writer.g, "density", inputs, outputs)


class _Head:
    """The nodes behind an encoder."""

    def __init__(self, manifold: ExpertManifold) -> None:
        self.g = Graph()
        self.manifold = manifold
        self.width = len(manifold.reader.centre)

    def write(self) -> None:
        """Write everything from the encoder's outputs and the tensors to the scores."""
        g, scales = self.g, scales_of(self.g)
        g.add("Identity", window_features(g, scales), output="dct")
        block_dct = block_features(g, scales)
        g.add("Reshape", block_dct, self._shape(-1, *MAP, baselines.N_FEATURES), output="block_dct")
        energies = self._energies("window", self._windows)
        g.add("Identity", energies, output="energies")
        badness = self._mean(self._above(energies, "window"), "window")
        g.add("Identity", badness, output="badness")
        energies = self._energies("block", lambda v: self._blocks(v, block_dct))
        found = self._mean(g.add("Asinh", self._above(energies, "block")), "block")
        map_ = g.add("Reshape", found, self._shape(-1, *MAP))
        g.add("Mul", map_, "counts", output="block_badness")
        flat = g.reshape("counts", 0, PIXELS_PER_MAP)
        g.add("Identity", g.sum(flat, 1, keep=False), output="block_counts")

    def _shape(self, *sides: int) -> str:
        return self.g.constant(sides, np.int64)

    def _windows(self, view: View) -> str:
        """Return (n, D), as `experts.window_values`."""
        if view.kind == "dct":
            return "dct"
        n_taps = len(self.manifold.encoder_taps)
        if view.kind in ("distance", "rank"):
            last = self._tap(n_taps - 1)
            distance = self._distance(last)
            return distance if view.kind == "distance" else self._read(last, distance)
        chosen = [self._tap(self.manifold.encoder_taps.index(tap)) for tap in view.taps]
        return self.g.add("Concat", *map(self._unit, chosen), axis=1)

    def _blocks(self, view: View, block_dct: str) -> str:
        """Return (n * 196, D), as `experts.block_values`."""
        if view.kind == "dct":
            return block_dct
        tokens = self.g.reshape("tokens", -1, self.width)
        return tokens if view.kind == "tokens" else self._distance(tokens)

    def _read(self, tap: str, distance: str) -> str:
        """Return (n, 38 + n_read), as `Reader.read` beside the hand-made features."""
        g = self.g
        if not len(self.manifold.reader.fault_bias):
            return g.add("Concat", "dct", distance, axis=1)
        faults = g.add("Add", g.add("MatMul", tap, "faults"), "fault_bias")
        return g.add("Concat", "dct", distance, *self._spread(), faults, axis=1)

    def _spread(self) -> list[str]:
        """Return (n, 1) for each power mean of the tokens' distances."""
        g = self.g
        logs = g.reshape(self._distance(g.reshape("tokens", -1, self.width)), -1, PIXELS_PER_MAP)
        counts = g.reshape("counts", 0, PIXELS_PER_MAP)
        inside = g.sum(counts, 1)
        found = []
        for power in POWERS:
            raised = g.add("Mul", g.add("Exp", g.scaled(logs, power)), counts)
            mean = g.add("Div", g.sum(raised, 1), inside)
            found.append(g.scaled(g.add("Log", mean), 1.0 / power))
        return found

    def _tap(self, place: int) -> str:
        """Return (n, width)."""
        one = self.g.add("Gather", "taps", self._shape(place), axis=1)
        return self.g.reshape(one, 0, self.width)

    def _unit(self, tap: str) -> str:
        length = self.g.add("Sqrt", self.g.sum(self.g.add("Mul", tap, tap), 1))
        return self.g.add("Div", tap, self.g.at_least(length, LEAST_LENGTH))

    def _distance(self, x: str) -> str:
        g = self.g
        off = g.add("Sub", x, "centre")
        total = g.sum(g.add("Mul", off, off), 1)
        mean = g.scaled(total, 1.0 / self.width)
        return g.add("Log", g.add("Add", mean, g.constant(DISTANCE_FLOOR)))

    def _energies(self, level: Level, values: Callable[[View], str]) -> str:
        """Return (n, expert)."""
        parts = []
        for expert in self.manifold.window if level == "window" else self.manifold.block:
            x, prefix = values(expert.view), f"{level}_{expert.view.name}"
            if expert.view.kind == "rank":
                x = self._ranking(x, prefix)
            elif expert.view.kind != "distance":
                x = self._density(x, prefix)
            parts.append(x)
        return self.g.add("Concat", *parts, axis=1)

    def _ranking(self, x: str, prefix: str) -> str:
        """Return (n, 1) of features (n, D), as `Ranker.energy`."""
        g = self.g
        scaled = g.add("Div", g.add("Sub", x, f"{prefix}_centre"), f"{prefix}_spread")
        hidden = g.add("MatMul", g.add("Asinh", scaled), f"{prefix}_inner")
        units = g.add("Relu", g.add("Add", hidden, f"{prefix}_inner_bias"))
        return g.sum(g.add("Mul", units, f"{prefix}_outer"), 1)

    def _density(self, x: str, prefix: str) -> str:
        """Return (n, 1) of features (n, D), as `Manifold.energy` by the folded tensors."""
        g = self.g
        scaled = g.add("Mul", g.add("Sub", x, f"{prefix}_centre"), f"{prefix}_scale")
        z = g.add("Sub", scaled, f"{prefix}_mean")
        off = self._half_square(g.add("MatMul", z, f"{prefix}_off"), 1)
        rows = g.add("Unsqueeze", f"{prefix}_shift", self._shape(1))  # (K, 1, D)
        white = g.add("Sub", g.add("MatMul", z, f"{prefix}_white"), rows)  # (K, n, D)
        inside = self._half_square(white, 2)  # (K, n, 1)
        offset = g.reshape(f"{prefix}_offset", -1, 1, 1)
        logs = g.add("Sub", offset, inside)
        mixture = g.add("ReduceLogSumExp", logs, axes=[0], keepdims=0)  # (n, 1)
        return g.add("Sub", off, mixture)

    def _half_square(self, x: str, axis: int) -> str:
        return self.g.scaled(self.g.sum(self.g.add("Mul", x, x), axis), 0.5)

    def _above(self, energies: str, level: Level) -> str:
        """Return the robust deviations above clean, (n, expert)."""
        return self.g.add("Div", self.g.add("Sub", energies, f"{level}_median"), f"{level}_mad")

    def _mean(self, said: str, level: Level) -> str:
        """Return the weighted mean of what the experts say, (n,)."""
        return self.g.sum(self.g.add("Mul", said, f"{level}_weights"), 1, keep=False)
