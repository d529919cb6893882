"""Read an encoder's weights back out of a graph that `export.encoder` wrote. Needs `onnx`.

The graph is laid out once more from blank weights, which says of each constant what it is made of;
so exactly what the writer did is undone: transposed maps, queries with their scale in them, weights
in half precision. What no tap reads (the last norm, blocks behind the last tap) is in no graph.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from sonoquality.export.encoder import EncoderWriter, Placed, Weights
from sonoquality.export.graph import ENCODER, HALF
from sonoquality.networks.profiles import PROFILES, EncoderProfile
from sonoquality.zoo import ENCODER_KEY, PROFILE_KEY, ROUNDED_KEY, SIZES_KEY

#: What a graph in 8 bits is made of.
QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger"}
Found = Mapping[str, NDArray[np.float32]]


class GraphError(ValueError):
    """The graph holds no encoder's weights as they are; the message says what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """The weights of a graph."""

    profile: EncoderProfile
    weights: Found  #: by the names of `networks.vit`; those whose constants are there
    written: frozenset[str]  #: names of all that such a graph has
    parent_sha256: str  #: of the fp32 weights that the graph was written from, as it says
    half_precision: bool  #: rounded to it, wholly or nearly


def profile_in(path: Path) -> tuple[onnx.ModelProto, EncoderProfile]:
    """Return a graph and the profile of the encoder in it.

    Raises:
        OSError: the file can't be opened.
        GraphError: it is no graph, has 8 bits, or names no profile that is known.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise GraphError(f"{path} is no ONNX graph.") from error
    about = {each.key: each.value for each in model.metadata_props}
    name = about.get(PROFILE_KEY)
    if name is None or ENCODER_KEY not in about:
        raise GraphError(f"{path} holds no encoder: it names none.")
    if any(node.op_type in QUANTISED for node in model.graph.node):
        raise GraphError(
            f"{path} holds its weights in 8 bits, out of which no encoder is read back: give the "
            "fp16 or fp32 graph of the same encoder, or the folder of its training."
        )
    profile = _profile(about.get(SIZES_KEY), name)
    if profile is None:
        raise GraphError(
            f"{path} holds an encoder {name!r}, whose sizes it does not tell; known by name are "
            f"{', '.join(PROFILES)}. Export it again."
        )
    return model, profile


def read_back(path: Path, blank: Weights) -> ReadBack:
    """Return the weights of the encoder in a graph, alone or with the density behind it.

    Args:
        path: the graph.
        blank: by name, weights of the shapes of its profile, whatever their numbers.

    Raises:
        OSError: the file can't be opened.
        GraphError: see `profile_in`; or the graph is another than `export.encoder` writes.
    """
    model, profile = profile_in(path)
    writer = EncoderWriter(profile, blank)
    writer.write()
    prefix = ENCODER if any(node.name.startswith(ENCODER) for node in model.graph.node) else ""
    arrays = {
        tensor.name.removeprefix(prefix): numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.startswith(prefix)
    }
    nodes = {
        node.output[0].removeprefix(prefix): node
        for node in model.graph.node
        if node.name.startswith(prefix)
    }
    for unlike in (*_other_nodes(writer, nodes, prefix), *_other_constants(writer, arrays)):
        raise GraphError(
            f"{path} is written in another way than encoders are here, at {unlike}: export its "
            "encoder again."
        )
    found = {
        name: arrays[kept].astype(np.float32)
        for name in writer.placed
        for kept in (name, f"{name}{HALF}")
        if kept in arrays
    }
    about = {each.key: each.value for each in model.metadata_props}
    return ReadBack(
        profile=profile,
        weights=dict(_joined(writer.placed, found)),
        written=frozenset(each.weight for each in writer.placed.values()),
        parent_sha256=about[ENCODER_KEY],
        half_precision=ROUNDED_KEY in about or any(f"{n}{HALF}" in arrays for n in writer.placed),
    )


def _profile(sizes: str | None, name: str) -> EncoderProfile | None:
    if sizes is None:
        return PROFILES.get(name)
    try:
        table = json.loads(sizes)
        lists = {key: tuple(table[key]) for key in ("taps", "stem")}
        return EncoderProfile(**{**table, **lists})
    except (ValueError, KeyError, TypeError):
        return None


def _other_nodes(
    writer: EncoderWriter, nodes: Mapping[str, onnx.NodeProto], prefix: str
) -> Iterator[str]:
    """Name the nodes that are not as the writer writes them: a constant may be something else."""
    for wanted in writer.g.nodes:
        name = wanted.output[0]
        node = nodes.get(name)
        if node is None or node.op_type != wanted.op_type:
            yield f"{wanted.op_type} {name}"
            continue
        inputs = [each.removeprefix(prefix) for each in node.input]
        if inputs != list(wanted.input) or list(node.attribute) != list(wanted.attribute):
            yield f"{wanted.op_type} {name}"


def _other_constants(writer: EncoderWriter, arrays: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Name the numbers beside the weights, such as heads and scales, that differ."""
    for wanted in writer.g.constants:
        here = arrays.get(wanted.name)
        if wanted.name in writer.placed:
            continue
        if here is None or not np.array_equal(here, numpy_helper.to_array(wanted)):
            yield wanted.name


def _joined(
    placed: Mapping[str, Placed], arrays: Found
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Put constants together to weights; of one that does not fit, leave its shape to be told."""
    parts: dict[str, list[str]] = {}
    for name, each in placed.items():
        parts.setdefault(each.weight, []).append(name)
    for weight, names in parts.items():
        if all(name in arrays for name in names):
            undone = [_undone(placed[name], arrays[name]) for name in names]
            alike = len({part.shape[1:] for part in undone}) == 1
            yield weight, np.concatenate(undone) if alike and len(undone) > 1 else undone[0]


def _undone(placed: Placed, array: NDArray[np.float32]) -> NDArray[np.float32]:
    turned = array.T if placed.transposed else array
    undone: NDArray[np.float32] = np.ascontiguousarray(turned / np.float32(placed.scale))
    return undone
