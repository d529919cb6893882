"""Write an encoder as an ONNX graph: windows and mask in; pooled taps and tokens out.

The graph is written node by node from the weights, in standard operators, so that it needs no
tracing of the network; the tests compare it with the network itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from sonoquality.export.graph import Graph, model_of
from sonoquality.networks.profiles import WINDOW, EncoderProfile
from sonoquality.preprocess import LEAST_MASK
from sonoquality.zoo import ENCODER_KEY, PROFILE_KEY, ROUNDED_KEY, SIZES_KEY

EPSILON = 1e-6  #: of the layer norms, as in `networks.vit`
STEM = "stem"  #: how the names of the stem's nodes begin
Weights = Mapping[str, NDArray[np.float32]]
THIRDS = 3  #: of queries, keys and values in one weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a constant of the graph is made of."""

    weight: str  #: by the names of `networks.vit`
    third: int | None = None  #: of its rows; none: all of it
    scale: float = 1.0  #: that it was multiplied by
    transposed: bool = False


def encoder_model(
    profile: EncoderProfile, weights: Weights, sha256: str, rounded: str | None = None
) -> onnx.ModelProto:
    """Return the graph of an encoder in fp32.

    Inputs `windows`, (n, 1, 224, 224) in [0, 1], and `mask`, same shape, 1 in the scan mask.
    Outputs `taps` (n, tap, width), the mean of each tap's tokens inside the mask; `tokens`
    (n, 14, 14, width) of the last tap; `counts` (n, 14, 14), 1 for a token inside. All float32.

    Args:
        profile: size and shape.
        weights: by the names of `networks.vit`.
        sha256: identity of the fp32 weights, kept in the metadata.
        rounded: precision to which the weights given here were rounded before, kept there too.
    """
    writer = EncoderWriter(profile, weights)
    writer.write()
    image = ("n", 1, WINDOW, WINDOW)
    outputs = {
        "taps": ("n", len(profile.taps), profile.width),
        "tokens": ("n", profile.grid, profile.grid, profile.width),
        "counts": ("n", profile.grid, profile.grid),
    }
    model = model_of(writer.g, profile.name, {"windows": image, "mask": image}, outputs)
    for node in model.graph.node:
        node.name = node.name or node.output[0]
    about = {PROFILE_KEY: profile.name, SIZES_KEY: json.dumps(asdict(profile))}
    if rounded:
        about[ROUNDED_KEY] = rounded
    onnx.helper.set_model_props(model, {ENCODER_KEY: sha256, **about})
    return model


class EncoderWriter:
    """The nodes of one encoder, and what each of its weights' constants is made of."""

    def __init__(self, profile: EncoderProfile, weights: Weights) -> None:
        self.g = Graph()
        self.profile = profile
        self.weights = weights
        self.placed: dict[str, Placed] = {}  #: by the constant's name
        self.n_tokens = profile.grid**2 + int(profile.class_token)

    def write(self) -> None:
        """Write everything from the inputs to the outputs."""
        g, profile = self.g, self.profile
        counts = self._counts()
        stream = self._embedded()
        found: list[str] = []
        for number in range(max(profile.taps)):
            stream = self._block(stream, f"blocks.{number}")
            if number + 1 in profile.taps:
                found.append(self._patches(stream))
        g.add("Concat", *(self._pooled(tap, counts) for tap in found), axis=1, output="taps")
        grid = (-1, profile.grid, profile.grid)
        g.add("Reshape", found[-1], g.constant((*grid, profile.width), np.int64), output="tokens")
        g.add("Reshape", counts, g.constant(grid, np.int64), output="counts")

    def _counts(self) -> str:
        """Return (n, 1, 196): 1 for a token at least half of which lies in the mask."""
        g, side = self.g, [self.profile.patch] * 2
        share = g.add("AveragePool", "mask", kernel_shape=side, strides=side)
        inside = g.add("Not", g.add("Less", share, g.constant(LEAST_MASK)))
        return g.reshape(
            g.add("Cast", inside, to=onnx.TensorProto.FLOAT), -1, 1, self.profile.grid**2
        )

    def _embedded(self) -> str:
        """Return the residual stream (n, token, width) before the first block."""
        g, profile = self.g, self.profile
        x = g.scaled(g.add("Sub", "windows", g.constant(0.5)), 2.0)
        if profile.channels > 1:
            x = g.add("Concat", *[x] * profile.channels, axis=1)
        x = self._convolutions(x) if profile.stem else self._patch_embedding(x)
        flat = g.reshape(x, 0, profile.width, profile.grid**2)
        stream = g.add("Transpose", flat, perm=[0, 2, 1])
        if profile.class_token:
            stream = g.add("Concat", self._class_token(stream), stream, axis=1)
        return g.add("Add", stream, self._weight("pos_embed"))

    def _class_token(self, stream: str) -> str:
        """Return (n, 1, width) for a stream of any n."""
        g = self.g
        first = g.add("ReduceSum", stream, g.constant([1, 2], np.int64), keepdims=1)
        return g.add("Add", g.scaled(first, 0.0), self._weight("cls_token"))

    def _patch_embedding(self, x: str) -> str:
        side = [self.profile.patch] * 2
        return self._conv(x, "patch_embed.proj", f"{STEM}_0", strides=side)

    def _convolutions(self, x: str) -> str:
        n_convs = len(self.profile.stem) + 1
        for number in range(n_convs):
            name = f"patch_embed.convs.{number}"
            side = self.weights[f"{name}.weight"].shape[-1]
            pads = {"strides": [2, 2], "pads": [side // 2] * 4}
            x = self._conv(x, name, f"{STEM}_{number}", **pads)
            x = self._gelu(x) if number + 1 < n_convs else x
        return x

    def _conv(self, x: str, name: str, output: str, **attributes: Any) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        side = list(self.weights[f"{name}.weight"].shape[-2:])
        return self.g.add("Conv", x, weight, bias, output=output, kernel_shape=side, **attributes)

    def _block(self, stream: str, name: str) -> str:
        mixed = self._attention(self._norm(stream, f"{name}.norm1"), f"{name}.attn")
        stream = self.g.add("Add", stream, mixed)
        x = self._linear(self._norm(stream, f"{name}.norm2"), f"{name}.mlp.fc1")
        return self.g.add("Add", stream, self._linear(self._gelu(x), f"{name}.mlp.fc2"))

    def _attention(self, x: str, name: str) -> str:
        g, width = self.g, self.profile.width
        share = width // self.profile.heads
        parts = zip(
            range(THIRDS),
            (share**-0.5, 1.0, 1.0),
            ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]),
            strict=True,
        )
        query, key, value = (
            self._heads(self._linear(x, f"{name}.qkv", third, scale), axes)
            for third, scale, axes in parts
        )
        weights = g.add("Softmax", g.add("MatMul", query, key), axis=-1)
        mixed = g.add("Transpose", g.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self._linear(g.reshape(mixed, 0, self.n_tokens, width), f"{name}.proj")

    def _heads(self, x: str, axes: list[int]) -> str:
        """Return (n, head, token, part) of (n, token, width), or its last two axes swapped."""
        heads = self.profile.heads
        split = self.g.reshape(x, 0, self.n_tokens, heads, self.profile.width // heads)
        return self.g.add("Transpose", split, perm=axes)

    def _norm(self, x: str, name: str) -> str:
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self.g.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def _linear(self, x: str, name: str, third: int | None = None, scale: float = 1.0) -> str:
        weight = Placed(weight=f"{name}.weight", third=third, scale=scale, transposed=True)
        bias = Placed(weight=f"{name}.bias", third=third, scale=scale)
        product = self.g.add("MatMul", x, self._constant(weight))
        return self.g.add("Add", product, self._constant(bias))

    def _gelu(self, x: str) -> str:
        """Write it with the error function: the runtime knows this form and makes it one step."""
        g = self.g
        part = g.add("Erf", g.add("Div", x, g.constant(np.sqrt(2.0))))
        return g.scaled(g.add("Mul", x, g.add("Add", part, g.constant(1.0))), 0.5)

    def _patches(self, stream: str) -> str:
        """Drop the class token."""
        if not self.profile.class_token:
            return stream
        first, last = ([k] for k in (1, self.n_tokens))
        bounds = (self.g.constant(bound, np.int64) for bound in (first, last, [1]))
        return self.g.add("Slice", stream, *bounds)

    def _pooled(self, tap: str, counts: str) -> str:
        """Return (n, 1, width): the mean of tokens (n, 196, width) that count."""
        total = self.g.at_least(self.g.sum(counts, 2), 1.0)
        return self.g.add("Div", self.g.add("MatMul", counts, tap), total)

    def _weight(self, name: str) -> str:
        return self._constant(Placed(weight=name))

    def _constant(self, placed: Placed) -> str:
        """Add a weight, or what is made of it."""
        found = self.weights[placed.weight]
        rows = found if placed.third is None else np.split(found, THIRDS)[placed.third]
        scaled = rows * placed.scale
        name = self.g.constant(scaled.T if placed.transposed else scaled)
        self.placed[name] = placed
        return name
