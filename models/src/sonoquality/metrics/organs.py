"""Which organ a picture shows, as far as the clean mixture tells, and scoring by one organ alone.

The Gaussians of the `dct` expert are shared by all organs; the fit counts how much of each belongs
to which. That makes the posterior of the organ a by-product, and an organ that is known reweighs
the mixture (SCIENCE.md §6b).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats
from sonoquality.errors import UnknownOrganError
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.organ_model import log_sum_exp

PREFIX = "organ"
#: Dimensions per unit of temperature: neighbouring windows overlap and tell the same thing twice.
TEMPERED = 8.0
#: So little of a Gaussian belongs to every organ.
LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Organs:
    """How the Gaussians of a mixture are shared among O organs."""

    names: tuple[str, ...]
    shares: Floats  #: (K, O): of each organ's clean windows, how much each Gaussian holds
    medians: Floats  #: (O,) energy of a clean window by that organ's mixture
    mads: Floats  #: (O,) 1.4826 x median absolute deviation

    @classmethod
    def of(cls, mixture: Manifold, features: Floats, labels: Sequence[str]) -> "Organs":
        """Count the Gaussians' shares in clean windows (n, D) whose organs are known."""
        names, place = np.unique(np.asarray(labels), return_inverse=True)
        logs = mixture.log_densities(features) + np.log(mixture.weights)
        held = np.exp(logs - log_sum_exp(logs)[:, None])
        shares = np.stack([held[place == o].mean(axis=0) for o in range(len(names))], axis=1)
        shares = np.maximum(shares, LEAST_SHARE)
        shares /= shares.sum(axis=0)
        found = cls(
            names=tuple(map(str, names)),
            shares=shares,
            medians=np.zeros(len(names)),
            mads=np.ones(len(names)),
        )
        own = [found.mixture(mixture, name) for name in found.names]
        energies = [own[o].energy(features[place == o]) for o in range(len(names))]
        medians = np.array([np.median(energy) for energy in energies])
        spread = [np.median(np.abs(e - m)) for e, m in zip(energies, medians, strict=True)]
        return cls(
            names=found.names, shares=shares, medians=medians, mads=1.4826 * np.array(spread)
        )

    def place(self, name: str) -> int:
        """Return where an organ stands.

        Raises:
            UnknownOrganError: there is no such organ.
        """
        if name not in self.names:
            raise UnknownOrganError(
                f"The model knows no organ {name!r}; it knows {', '.join(self.names)}. Leave the "
                "organ out, or fit the site's own (sonoquality fit --images)."
            )
        return self.names.index(name)

    def mixture(self, shared: Manifold, name: str) -> Manifold:
        """Return the mixture of one organ."""
        o = self.place(name)
        own = {f: getattr(shared, f) for f in shared.__slots__}
        own["weights"] = self.shares[:, o]
        own["median"], own["mad"] = np.asarray(self.medians[o]), np.asarray(self.mads[o])
        return Manifold(**own)

    def posterior(self, mixture: Manifold, features: Floats) -> Mapping[str, float]:
        """Return how likely each organ is, of an image's windows (n, D); before, all are alike.

        The median over windows counts, at a temperature of D / 8.
        """
        logs = mixture.log_densities(features)[:, :, None] + np.log(self.shares)
        told = np.median(log_sum_exp(np.swapaxes(logs, 1, 2)), axis=0)
        told = told / (features.shape[1] / TEMPERED)
        chance = np.exp(told - log_sum_exp(told))
        return dict(zip(self.names, map(float, chance), strict=True))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file keeps."""
        return {
            f"{PREFIX}_names": np.array(self.names),
            f"{PREFIX}_shares": self.shares,
            f"{PREFIX}_medians": self.medians,
            f"{PREFIX}_mads": self.mads,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Organs | None":
        """Read back `arrays`; None if the file knows of no organs.

        Raises:
            KeyError: a part is missing.
        """
        if f"{PREFIX}_names" not in arrays:
            return None
        return cls(
            names=tuple(map(str, arrays[f"{PREFIX}_names"])),
            shares=arrays[f"{PREFIX}_shares"],
            medians=arrays[f"{PREFIX}_medians"],
            mads=arrays[f"{PREFIX}_mads"],
        )
