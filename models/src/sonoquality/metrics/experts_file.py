"""Expert manifolds as files (`.npz`) and as the tensors that a graph takes beside its windows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats
from sonoquality.errors import ManifoldError
from sonoquality.metrics.experts import KINDS, Expert, ExpertManifold, Kind, Level, View
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.organs import Organs
from sonoquality.metrics.ranker import Ranker
from sonoquality.metrics.reader import Reader

Tensors = Mapping[str, NDArray[np.float32]]
#: Log weight of a Gaussian that is not there: its density is 0 in float32.
ABSENT = -1e30
LEVELS: tuple[Level, ...] = get_args(Level)


def save(path: Path, manifold: ExpertManifold) -> None:
    """Write an uncompressed file whose bytes depend on the numbers alone."""
    arrays: dict[str, NDArray[Any]] = {
        "encoder_sha256": np.array(manifold.encoder_sha256),
        "encoder_taps": np.array(manifold.encoder_taps),
        **manifold.reader.arrays(),
        "n_components": np.array(manifold.n_components),
    }
    for level in LEVELS:
        experts: tuple[Expert, ...] = getattr(manifold, level)
        arrays[f"{level}_experts"] = np.array([expert.view.name for expert in experts])
        for expert in experts:
            arrays.update(_arrays(expert, f"{level}_{expert.view.name}"))
    if manifold.organs is not None:
        arrays.update(manifold.organs.arrays())
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> ExpertManifold:
    """Read a manifold; pickled content is refused.

    Raises:
        ManifoldError: it is not one of ours, or not whole.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        return ExpertManifold(
            encoder_sha256=str(arrays["encoder_sha256"]),
            encoder_taps=tuple(map(int, arrays["encoder_taps"])),
            reader=Reader.from_arrays(arrays),
            window=_experts(arrays, "window"),
            block=_experts(arrays, "block"),
            n_components=int(arrays["n_components"]),
            organs=Organs.from_arrays(arrays),
        )
    except (OSError, KeyError, ValueError) as error:
        raise ManifoldError(f"{path} holds no manifold of experts ({error!r}); fit one.") from error


def tensors_of(manifold: ExpertManifold) -> Tensors:
    """Return the inputs of a graph of `export.density`, by name.

    Of an expert with a density over D features, with room for K Gaussians: `centre`, `scale` and
    `mean` (D,) standardise; `off` (D, D) leaves what lies outside the subspace, in its deviations;
    `white` (K, D, D) and `shift` (K, D) whiten, padded with 0; `offset` (K,) holds log weight,
    volumes and the residual's constant. A ranking's are those of `Ranker`, and of `Reader`.
    """
    found: dict[str, Floats] = dict(manifold.reader.arrays())
    for level in LEVELS:
        experts: tuple[Expert, ...] = getattr(manifold, level)
        weights = np.array([expert.weight for expert in experts])
        found[f"{level}_weights"] = weights / weights.sum()
        found[f"{level}_median"] = np.array([expert.median for expert in experts])
        found[f"{level}_mad"] = np.array([expert.mad for expert in experts])
        for expert in experts:
            prefix = f"{level}_{expert.view.name}"
            if isinstance(expert.model, Ranker):
                found.update(expert.model.arrays(prefix))
            elif expert.model is not None:
                folded = _folded(expert.model, manifold.n_components)
                found.update({f"{prefix}_{key}": value for key, value in folded.items()})
    return {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in found.items()}


def _folded(manifold: Manifold, n_components: int) -> dict[str, Floats]:
    """Fold a density into matrices over the standardised features."""
    n_kept, n_features = manifold.basis.shape
    n_found = len(manifold.weights)
    white = np.zeros((n_components, n_features, n_features))
    shift = np.zeros((n_components, n_features))
    offset = np.full(n_components, ABSENT)
    white[:n_found, :, :n_kept] = np.swapaxes(manifold.whiteners @ manifold.basis, 1, 2)
    shift[:n_found, :n_kept] = np.einsum("kij,kj->ki", manifold.whiteners, manifold.means)
    dropped = 0.5 * (n_features - n_kept) * np.log(2.0 * np.pi * manifold.residual)
    offset[:n_found] = manifold.offsets() - dropped
    outside = np.eye(n_features) - manifold.basis.T @ manifold.basis
    return {
        "centre": manifold.centre,
        "scale": 1.0 / manifold.spread,
        "mean": manifold.mean,
        "off": outside / np.sqrt(manifold.residual),
        "white": white,
        "shift": shift,
        "offset": offset,
    }


def _arrays(expert: Expert, prefix: str) -> dict[str, NDArray[Any]]:
    own: dict[str, NDArray[Any]] = {
        f"{prefix}_expert": np.array([expert.weight, expert.median, expert.mad])
    }
    return own if expert.model is None else {**own, **expert.model.arrays(prefix)}


def _experts(arrays: dict[str, NDArray[Any]], level: Level) -> tuple[Expert, ...]:
    return tuple(_expert(arrays, level, str(name)) for name in arrays[f"{level}_experts"])


def _expert(arrays: dict[str, NDArray[Any]], level: Level, name: str) -> Expert:
    prefix = f"{level}_{name}"
    view = view_of(name, level)
    weight, median, mad = map(float, arrays[f"{prefix}_expert"])
    return Expert(
        view=view, weight=weight, model=_model(arrays, view, prefix), median=median, mad=mad
    )


def _model(arrays: dict[str, NDArray[Any]], view: View, prefix: str) -> Manifold | Ranker | None:
    if view.kind == "distance":
        return None
    if view.kind == "rank":
        return Ranker.from_arrays(arrays, prefix)
    return Manifold.from_arrays(arrays, prefix)


def view_of(name: str, level: Level) -> View:
    """Read back `View.name`.

    Raises:
        ValueError: there is no such view of windows, or of blocks.
    """
    found, *taps = name.split("_")
    kinds: dict[str, Kind] = {kind: kind for kind in KINDS[level]}
    if found not in kinds or bool(taps) != (found == "taps"):
        raise ValueError(f"{level} experts look at {', '.join(kinds)}, not at {name}.")
    return View(kind=kinds[found], taps=tuple(map(int, taps)))
