"""Export a trained encoder: graphs by precision, their record, its heads, and phantom features."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from sonoquality import golden
from sonoquality.arrays import Tokens, Windows
from sonoquality.export.encoder import encoder_model
from sonoquality.export.precision import to_half, to_int8_dynamic, to_int8_static
from sonoquality.exported import (
    PHANTOM_FILE,
    READER_FILE,
    ExportRecord,
    Written,
    graph_file,
    write_record,
)
from sonoquality.networks.checkpoints import load_encoder
from sonoquality.networks.encode import encode_with
from sonoquality.networks.heads import load_reader
from sonoquality.networks.identity import sha256_of
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import LEAST_MASK, windows_of, working_image
from sonoquality.session import open_session
from sonoquality.training.calibration_windows import WindowSample, differences

#: A graph whose ranges come from its batch must be so much nearer to be preferred: in it, a
#: window's score depends on which windows go with it.
NEARER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Windows to find 8-bit ranges on, and others to compare features on."""

    calibration: WindowSample | None  #: none: no 8 bits
    comparison: tuple[Windows, Windows]  #: windows and masks (n, 1, 224, 224)


def graph_of(network: VisionTransformer) -> onnx.ModelProto:
    """Return the fp32 graph of a network."""
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    rounded = "float16" if network.parent and network.parent.half_precision else None
    return encoder_model(network.profile, weights, network.parent_sha256, rounded)


def export_encoder(
    encoder: Path, out: Path, precisions: Sequence[str], samples: Samples
) -> ExportRecord:
    """Write the graphs of an encoder and all that fits need; returns the record.

    Args:
        encoder: folder of `sonoquality train encoder`; or an entry of the zoo, whose weights are
            rounded already and whose heads are not at hand.
        out: folder to write.
        precisions: of `exported.PRECISIONS`.
        samples: windows that show how near each graph comes.
    """
    out.mkdir(parents=True, exist_ok=True)
    network = load_encoder(encoder)
    wanted, _ = torch_features(network, *samples.comparison)
    graphs = {}
    for precision in precisions:
        ways = dict(_ways(graph_of(network), precision, samples.calibration))
        graphs[precision] = _keep(ways, out / graph_file(precision), samples.comparison, wanted)
    reader = load_reader(encoder)
    if reader is not None:
        np.savez(out / READER_FILE, allow_pickle=False, **reader.arrays())
    else:
        (out / READER_FILE).unlink(missing_ok=True)
    _write_phantoms(network, out)
    record = ExportRecord(
        profile=network.profile.name,
        taps=network.profile.taps,
        width=network.profile.width,
        encoder_sha256=network.parent_sha256,
        read_back_sha256=sha256_of(network) if network.parent else "",
        graphs=graphs,
        n_calibration_windows=0 if not samples.calibration else len(samples.calibration.pixels),
        calibration_images=() if not samples.calibration else samples.calibration.images,
    )
    write_record(out, record)
    return record


def torch_features(
    network: VisionTransformer, pixels: Windows, masks: Windows
) -> tuple[Tokens, Tokens]:
    """Return taps (n, tap, width), pooled inside the masks, and last tokens (n, 14, 14, width)."""
    taps = encode_with(network)(pixels)
    grid = network.profile.grid
    share = masks.reshape(len(masks), grid, masks.shape[2] // grid, grid, -1).mean(axis=(2, 4))
    inside = (share >= LEAST_MASK).reshape(len(masks), 1, -1).astype(np.float32)
    total = np.maximum(inside.sum(axis=2, keepdims=True), 1.0)
    pooled = np.concatenate([inside @ tap / total for tap in taps], axis=1)
    return pooled, taps[-1].reshape(len(masks), grid, grid, -1)


def _ways(
    model: onnx.ModelProto, precision: str, calibration: WindowSample | None
) -> Iterator[tuple[str, onnx.ModelProto]]:
    if precision == "fp32":
        yield "plain", model
    elif precision == "fp16":
        yield "weights", to_half(model)
    elif calibration is not None:
        yield "static", to_int8_static(model, calibration.pixels, calibration.masks)
        yield "dynamic", to_int8_dynamic(model)


def _keep(
    ways: Mapping[str, onnx.ModelProto],
    path: Path,
    comparison: tuple[Windows, Windows],
    wanted: Tokens,
) -> Written:
    """Try every way, keep the nearest as `path`, and tell how near each came."""
    found: dict[str, tuple[float, ...]] = {}
    for way, model in ways.items():
        onnx.save(model, str(path))
        taps = run_graph(path, *comparison)["taps"]
        found[way] = tuple(round(float(d), 8) for d in differences(taps, wanted))
    costs = {
        way: float(np.mean(taps)) / (NEARER if way == "dynamic" else 1.0)
        for way, taps in found.items()
    }
    kept = min(costs, key=lambda way: costs[way])
    onnx.save(ways[kept], str(path))
    content = path.read_bytes()
    return Written(
        sha256=hashlib.sha256(content).hexdigest(),
        n_bytes=len(content),
        kept=kept,
        differences=found,
    )


def run_graph(path: Path, pixels: Windows, masks: Windows) -> Mapping[str, Tokens]:
    """Run an exported graph on the CPU; outputs by name."""
    session = open_session(path, sha256="", ladder=("cpu",), threads=1, cache=path.parent)
    return session.run(pixels, masks)


def phantom_windows() -> Mapping[str, tuple[Windows, Windows]]:
    """Return windows and masks of the golden phantoms."""
    sets = {p.name: windows_of(working_image(*golden.inputs_of(p))) for p in golden.PHANTOMS}
    return {name: (windows.pixels, windows.masks) for name, windows in sets.items()}


def _write_phantoms(network: VisionTransformer, out: Path) -> None:
    arrays = {}
    for name, (pixels, masks) in phantom_windows().items():
        arrays[f"{name}_taps"], arrays[f"{name}_tokens"] = torch_features(network, pixels, masks)
    with (out / PHANTOM_FILE).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
