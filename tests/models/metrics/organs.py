"""Organ models in the released form, with random numbers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats


def organ(seed: int, n_features: int, d: int = 5) -> dict[str, Floats]:
    """Return the arrays of an organ model as they lie in a file."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(n_features, d)))[0].T
    weights = rng.dirichlet(np.ones(4))
    return {
        "pca_mean": rng.normal(size=n_features) / 10.0,
        "pca_components": basis,
        "gmm_weights": weights,
        "gmm_means": rng.normal(size=(4, d)) / 5.0,
        "gmm_covariances": rng.uniform(0.01, 0.2, (4, d)),
    }


def keep_arrays(path: Path, arrays: Mapping[str, object]) -> Path:
    """Write arrays by name, but those that are None."""
    kept = {name: np.asarray(each) for name, each in arrays.items() if each is not None}
    path.parent.mkdir(exist_ok=True)
    np.savez(path, allow_pickle=True, **kept)
    return path
