"""A small network that was taught to rank windows by known faults; here it only reads.

Its inputs are standardised by clean windows and passed through asinh, so that no feature far
outside what it learned from can carry the answer away alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranker:
    """One hidden layer of rectified units over D features."""

    centre: Floats  #: (D,) of clean windows
    spread: Floats  #: (D,)
    inner: Floats  #: (D, H)
    inner_bias: Floats  #: (H,)
    outer: Floats  #: (H,)

    def energy(self, values: Floats) -> Floats:
        """Return how bad windows (n, D) are, (n,); only the order has a meaning."""
        standard = np.arcsinh((values - self.centre) / self.spread)
        found: Floats = np.maximum(standard @ self.inner + self.inner_bias, 0.0) @ self.outer
        return found

    def arrays(self, prefix: str) -> dict[str, Floats]:
        """Return what a file keeps."""
        return {f"{prefix}_{part.name}": getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> "Ranker":
        """Read back `arrays`.

        Raises:
            KeyError: a part is missing.
            ValueError: the parts do not fit each other.
        """
        found = {part.name: np.asarray(arrays[f"{prefix}_{part.name}"]) for part in fields(cls)}
        d, h = found["inner"].shape
        wanted = {"centre": (d,), "spread": (d,), "inner_bias": (h,), "outer": (h,)}
        wrong = [name for name, shape in wanted.items() if found[name].shape != shape]
        if wrong:
            raise ValueError(f"{prefix}: {', '.join(wrong)} do not fit the layer of {d} by {h}.")
        return cls(**found)
