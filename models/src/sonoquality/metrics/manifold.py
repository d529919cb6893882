"""How far features lie from clean images: PCA with its residual kept, and a Gaussian mixture.

The energy is -log p(u) + 1/2 (|r|^2 / s2 + (D-d) log(2 pi s2)), u inside the subspace of the clean
features and r what leaves it (SCIENCE.md §6b). Dropping r would hide every fault that leaves it.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifold:
    """Clean features as a mixture of K Gaussians in d of D dimensions, plus an even residual."""

    centre: Floats  #: (D,) median of each feature
    spread: Floats  #: (D,) robust standard deviation of each feature
    mean: Floats  #: (D,) of the standardised features
    basis: Floats  #: (d, D) orthonormal rows
    residual: Floats  #: () variance of each dropped dimension
    weights: Floats  #: (K,) of the components; sum 1
    means: Floats  #: (K, d)
    whiteners: Floats  #: (K, d, d): inverse Cholesky factor of each covariance
    median: Floats  #: () energy of a clean vector
    mad: Floats  #: () 1.4826 x median absolute deviation of the clean energies

    def energy(self, features: Floats) -> Floats:
        """Return the energy (n,) of features (n, D); higher is further from clean."""
        z = (features - self.centre) / self.spread - self.mean
        u = z @ self.basis.T
        off = np.maximum((z**2).sum(axis=1) - (u**2).sum(axis=1), 0.0)
        energy: Floats = self._mixture(u) + 0.5 * off / self.residual + self._constant()
        return energy

    def badness(self, features: Floats) -> Floats:
        """Return the energy as robust standard deviations above the clean median, (n,)."""
        badness: Floats = (self.energy(features) - self.median) / self.mad
        return badness

    def offsets(self) -> Floats:
        """Return (K,): log weight and normaliser of each component."""
        log_det = np.log(np.diagonal(self.whiteners, axis1=1, axis2=2)).sum(axis=1)
        volume = 0.5 * self.basis.shape[0] * np.log(2.0 * np.pi)
        offsets: Floats = np.log(self.weights) + log_det - volume
        return offsets

    def log_densities(self, features: Floats) -> Floats:
        """Return (n, K): log density of each Gaussian within the subspace, without its weight."""
        u = ((features - self.centre) / self.spread - self.mean) @ self.basis.T
        found: Floats = self._logs(u) - np.log(self.weights)
        return found

    def _logs(self, u: Floats) -> Floats:
        white = np.einsum("kij,nkj->nki", self.whiteners, u[:, None, :] - self.means[None])
        logs: Floats = self.offsets() - 0.5 * (white**2).sum(axis=2)
        return logs

    def _mixture(self, u: Floats) -> Floats:
        logs = self._logs(u)
        peak = logs.max(axis=1)
        mixture: Floats = -(peak + np.log(np.exp(logs - peak[:, None]).sum(axis=1)))
        return mixture

    def _constant(self) -> Floats:
        dropped = self.basis.shape[1] - self.basis.shape[0]
        return np.asarray(0.5 * dropped * np.log(2.0 * np.pi * self.residual))

    def arrays(self, prefix: str) -> dict[str, Floats]:
        """Return every field by name, for a file that holds several manifolds."""
        return {f"{prefix}_{f.name}": np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats], prefix: str) -> "Manifold":
        """Read back what `arrays` returned.

        Raises:
            KeyError: a field is missing.
        """
        return cls(**{f.name: arrays[f"{prefix}_{f.name}"] for f in fields(cls)})


def save(path: Path, manifolds: dict[str, Manifold]) -> None:
    """Write manifolds by name into one uncompressed `.npz` whose bytes depend on them alone."""
    arrays = {key: value for name, m in manifolds.items() for key, value in m.arrays(name).items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path, *names: str) -> tuple[Manifold, ...]:
    """Read manifolds by name; pickled content is refused."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: np.asarray(file[key]) for key in file.files}
    return tuple(Manifold.from_arrays(arrays, name) for name in names)
