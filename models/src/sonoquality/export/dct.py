"""Write the features of `metrics.baselines` and two manifolds as one ONNX graph. Needs `onnx`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from scipy import fft

from sonoquality.export.graph import Graph, model_of
from sonoquality.metrics import baselines as features
from sonoquality.metrics.manifold import Manifold

PIXELS = features.BLOCK**2
SIDE = features.WINDOW


def export(path: Path, window: Manifold, block: Manifold) -> None:
    """Write the graph: windows and mask in; energies, badness and a block map out.

    Inputs `windows` and `mask`, (n, 1, 224, 224) float32, the mask 1 inside and 0 outside.
    Outputs `energy` (n,), `badness` (n,) in robust deviations above clean, `block_badness`
    (n, 14, 14), 0 where a block does not count, and `block_counts` (n,): blocks that count.
    """
    g = Graph()
    scales = scales_of(g)
    energy = _energy(g, window_features(g, scales), window)
    g.add("Identity", energy, output="energy")
    g.add("Identity", _robust(g, energy, window), output="badness")
    tokens = block_features(g, scales)
    fine_counts = scales.fine_counts
    token_badness = _robust(g, _energy(g, tokens, block), block)
    counted = g.add(
        "Mul",
        g.reshape(token_badness, -1, PIXELS_PER_MAP),
        g.reshape(fine_counts, 0, PIXELS_PER_MAP),
    )
    g.add("Reshape", counted, g.constant((-1, *MAP), np.int64), output="block_badness")
    g.add(
        "Identity",
        g.sum(g.reshape(fine_counts, 0, PIXELS_PER_MAP), 1, keep=False),
        output="block_counts",
    )
    onnx.save(_model(g), str(path))


MAP = (features.GRID, features.GRID)
PIXELS_PER_MAP = features.GRID**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Names of the block features at full and at half scale, and which blocks count."""

    fine: str  #: (n, 196, 19)
    fine_counts: str  #: (n, 196, 1), 1 or 0
    coarse: str  #: (n, 49, 19)
    coarse_counts: str  #: (n, 49, 1)


def window_features(g: Graph, scales: Scales) -> str:
    """Return (n, 38), as `baselines.window_features`."""
    fine = _pool(g, scales.fine, scales.fine_counts)
    return g.add("Concat", fine, _pool(g, scales.coarse, scales.coarse_counts), axis=1)


def block_features(g: Graph, scales: Scales) -> str:
    """Return (n * 196, 38), as `baselines.token_features`."""
    return _smooth(g, _side_by_side(g, scales.fine, scales.coarse), scales.fine_counts)


def scales_of(g: Graph) -> Scales:
    """Measure the blocks of the inputs `windows` and `mask` at both scales."""
    fine, fine_counts = _block_features(g, "windows", "mask", features.GRID)
    area: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    share = g.add("AveragePool", "mask", **area)
    masked = g.add("AveragePool", g.add("Mul", "windows", "mask"), **area)
    small = g.add("Div", masked, g.at_least(share, 0.25))
    coarse, coarse_counts = _block_features(g, small, share, features.GRID // 2)
    return Scales(fine=fine, fine_counts=fine_counts, coarse=coarse, coarse_counts=coarse_counts)


def _blocks(g: Graph, image: str, grid: int) -> str:
    """Cut (n, 1, side, side) into (n, grid * grid, 256)."""
    cut = g.reshape(image, 0, grid, features.BLOCK, grid, features.BLOCK)
    return g.reshape(g.add("Transpose", cut, perm=[0, 1, 3, 2, 4]), 0, grid * grid, PIXELS)


def _block_features(g: Graph, image: str, weight: str, grid: int) -> tuple[str, str]:
    """Return features (n, blocks, 19) and counts (n, blocks, 1), as `baselines.block_features`."""
    x, m = _blocks(g, image, grid), _blocks(g, weight, grid)
    count = g.sum(m, 2)
    total = g.at_least(count, 1.0)
    mean = g.add("Div", g.sum(g.add("Mul", x, m), 2), total)
    centred = g.add("Sub", x, mean)
    rest = g.add("Mul", centred, m)
    variance = g.add("Div", g.sum(g.add("Mul", rest, centred), 2), total)
    spread = g.add("Sqrt", g.at_least(variance, 0.0))
    dark = _share(g, g.add("Less", x, g.constant(features.DARK)), m, total)
    bright = _share(g, g.add("Greater", x, g.constant(features.BRIGHT)), m, total)
    energies = _log_energies(g, rest, total)
    together = g.add("Concat", energies, mean, spread, dark, bright, axis=2)
    enough = g.add("Less", count, g.constant(features.LEAST_SHARE * PIXELS))
    return together, g.add("Cast", g.add("Not", enough), to=TensorProto.FLOAT)


def _share(g: Graph, where: str, m: str, total: str) -> str:
    inside = g.add("Mul", g.add("Cast", where, to=TensorProto.FLOAT), m)
    return g.add("Div", g.sum(inside, 2), total)


def _log_energies(g: Graph, rest: str, total: str) -> str:
    spectrum = g.add("MatMul", rest, g.constant(dct_matrix().T))
    energy = g.add("MatMul", g.add("Mul", spectrum, spectrum), g.constant(features.band_matrix()))
    per_pixel = g.add("Div", g.scaled(energy, PIXELS), total)
    return g.add("Log", g.add("Add", per_pixel, g.constant(features.ENERGY_FLOOR)))


def dct_matrix() -> NDArray[np.float64]:
    """Return (256, 256): the orthonormal 2-D DCT of a block, row-major in and out."""
    one: NDArray[np.float64] = fft.dct(np.eye(features.BLOCK), axis=0, norm="ortho")
    return np.asarray(np.kron(one, one), dtype=np.float64)


def _pool(g: Graph, values: str, counts: str) -> str:
    total = g.at_least(g.sum(counts, 1, keep=False), 1.0)
    return g.add("Div", g.sum(g.add("Mul", values, counts), 1, keep=False), total)


def _side_by_side(g: Graph, fine: str, coarse: str) -> str:
    """Return (n, 38, 14, 14): each fine block beside the coarse block that holds it."""
    half = features.GRID // 2
    k = features.N_BLOCK_FEATURES
    wide = g.reshape(coarse, 0, half, 1, half, 1, k)
    tiled = g.add("Tile", wide, g.constant((1, 1, 2, 1, 2, 1), np.int64))
    both = g.add("Concat", fine, g.reshape(tiled, 0, PIXELS_PER_MAP, k), axis=2)
    return g.reshape(g.add("Transpose", both, perm=[0, 2, 1]), 0, 2 * k, *MAP)


def _smooth(g: Graph, tokens: str, counts: str) -> str:
    """Return (n * 196, 38): the mean over each block's 3x3 neighbours that count."""
    mean: dict[str, Any] = {
        "kernel_shape": [3, 3],
        "pads": [1, 1, 1, 1],
        "count_include_pad": 1,
    }
    m = g.reshape(counts, 0, 1, *MAP)
    share = g.at_least(g.add("AveragePool", m, **mean), 1.0 / 18.0)
    smooth = g.add("Div", g.add("AveragePool", g.add("Mul", tokens, m), **mean), share)
    last = g.add("Transpose", smooth, perm=[0, 2, 3, 1])
    return g.reshape(last, -1, 2 * features.N_BLOCK_FEATURES)


def _energy(g: Graph, x: str, manifold: Manifold) -> str:
    """Return (n,): `Manifold.energy`, with the residual as its own vector (no cancellation)."""
    z = g.scaled(g.add("Sub", x, g.constant(manifold.centre)), 1.0 / manifold.spread)
    z = g.add("Sub", z, g.constant(manifold.mean))
    u = g.add("MatMul", z, g.constant(manifold.basis.T))
    off = g.add("Sub", z, g.add("MatMul", u, g.constant(manifold.basis)))
    residual = g.scaled(g.sum(g.add("Mul", off, off), 1, keep=False), 0.5 / manifold.residual)
    dropped = manifold.basis.shape[1] - manifold.basis.shape[0]
    constant = 0.5 * dropped * np.log(2.0 * np.pi * manifold.residual)
    total = g.add("Add", g.add("Neg", _log_mixture(g, u, manifold)), residual)
    return g.add("Add", total, g.constant(constant))


def _log_mixture(g: Graph, u: str, manifold: Manifold) -> str:
    parts = []
    for k, offset in enumerate(manifold.offsets()):
        centred = g.add("Sub", u, g.constant(manifold.means[k]))
        white = g.add("MatMul", centred, g.constant(manifold.whiteners[k].T))
        squared = g.scaled(g.sum(g.add("Mul", white, white), 1), -0.5)
        parts.append(g.add("Add", squared, g.constant(offset)))
    logs = g.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    return g.add("ReduceLogSumExp", logs, axes=[1], keepdims=0)


def _robust(g: Graph, energy: str, manifold: Manifold) -> str:
    above = g.add("Sub", energy, g.constant(manifold.median))
    return g.scaled(above, 1.0 / manifold.mad)


def _model(g: Graph) -> onnx.ModelProto:
    image = ("n", 1, SIDE, SIDE)
    outputs = {
        "energy": ("n",),
        "badness": ("n",),
        "block_badness": ("n", *MAP),
        "block_counts": ("n",),
    }
    return model_of(g, "dct_manifold", {"windows": image, "mask": image}, outputs)
