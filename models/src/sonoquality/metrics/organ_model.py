"""The organ models that came with the paper: PCA, then a Gaussian mixture with diagonal covariance.

Eleven `.npz` files were released (SCIENCE.md §3.3). They spell the number of dimensions `D`, their
reader asks for `dim`; both are read here. They don't say which encoder they belong to, so that
only the number of features can be checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.errors import ManifoldError, OtherEncoderError

ARRAYS = ("pca_mean", "pca_components", "gmm_weights", "gmm_means", "gmm_covariances")
SIZES = ("dim", "D")
"""Two spellings of the number of dimensions after PCA; a file carries at least one."""

#: Weights and variances below this count as this, in the released program.
LEAST = 1e-12
REMEDY = "Give one of the .npz organ models released with the paper, or one fitted by its program."


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganModel:
    """What clean windows of one organ look like to one encoder; float64 throughout."""

    mean: Floats  #: (D,) of the features
    components: Floats  #: (d, D) orthonormal rows
    weights: Floats  #: (K,)
    means: Floats  #: (K, d)
    covariances: Floats  #: (K, d) diagonals

    def log_density(self, features: Floats) -> Floats:
        """Return log p(z | organ), (n,), of features (n, D); what leaves the PCA is not seen.

        Raises:
            OtherEncoderError: the features are not D wide.
        """
        if features.shape[1] != self.mean.size:
            raise OtherEncoderError(
                f"The organ model was fitted on {self.mean.size} features a window, the encoder "
                f"gives {features.shape[1]}. Use the weights that it was fitted with."
            )
        u = (features - self.mean) @ self.components.T
        covariances = np.maximum(self.covariances, LEAST)
        spread = np.log(covariances).sum(axis=1) + u.shape[1] * np.log(2.0 * np.pi)
        apart = ((u[:, None, :] - self.means) ** 2 / self.covariances).sum(axis=2)
        parts = np.log(np.clip(self.weights, LEAST, 1.0)) - 0.5 * (apart + spread)
        return log_sum_exp(parts)


def log_sum_exp(logs: Floats) -> Floats:
    """Return log of the sum of exp along the last axis, without overflow."""
    peak = logs.max(axis=-1)
    summed: Floats = peak + np.log(np.exp(logs - peak[..., None]).sum(axis=-1))
    return summed


def load_organ_model(path: Path) -> OrganModel:
    """Read one released organ model; pickled content is refused.

    Raises:
        ManifoldError: the file is missing, isn't one, lacks an array, or its arrays disagree.
    """
    arrays = _arrays(path)
    missing = [name for name in ARRAYS if name not in arrays]
    if not any(name in arrays for name in SIZES):
        missing.append(" or ".join(SIZES))
    if missing:
        raise ManifoldError(f"{path} lacks {', '.join(missing)}. {REMEDY}")
    mean, components, weights, means, covariances = (
        np.asarray(arrays[name], dtype=np.float64) for name in ARRAYS
    )
    model = OrganModel(
        mean=mean, components=components, weights=weights, means=means, covariances=covariances
    )
    _check(path, model, {int(arrays[name].flat[0]) for name in SIZES if name in arrays})
    return model


def _arrays(path: Path) -> Mapping[str, Floats]:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                raise ManifoldError(f"{path} holds one array, not an organ model. {REMEDY}")
            return {name: np.asarray(content[name]) for name in content.files}
    except FileNotFoundError:
        raise ManifoldError(f"There is no file {path}. {REMEDY}") from None
    except (OSError, ValueError, EOFError, BadZipFile, KeyError) as error:
        raise ManifoldError(f"{path} can't be read as .npz ({error}). {REMEDY}") from error


def _check(path: Path, model: OrganModel, sizes: set[int]) -> None:
    """Refuse arrays whose shapes disagree, or that hold what no density can."""
    if model.components.ndim != 2 or model.means.ndim != 2 or model.weights.ndim != 1:
        raise ManifoldError(f"{path}: its arrays have the wrong number of axes. {REMEDY}")
    d, n_features = model.components.shape
    wanted = {"mean": (n_features,), "means": (model.weights.size, d)}
    wanted["covariances"] = wanted["means"]
    for name, shape in wanted.items():
        if getattr(model, name).shape != shape:
            found = getattr(model, name).shape
            raise ManifoldError(f"{path}: `{name}` is {found}, expected {shape}. {REMEDY}")
    if sizes != {d}:
        raise ManifoldError(f"{path} names {sorted(sizes)} dimensions but has {d}. {REMEDY}")
    whole = all(np.isfinite(getattr(model, name)).all() for name in model.__slots__)
    if not whole or model.covariances.min() <= 0.0 or model.weights.min() < 0.0:
        raise ManifoldError(f"{path} holds numbers that no density can have. {REMEDY}")
