"""What an encoder's own heads read of a window: how far from clean, where worst, and which faults.

The heads were learned with the encoder; a ranking takes what they read beside hand-made features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats

#: Added to the mean squared distance before its logarithm, as in training.
DISTANCE_FLOOR = 1e-3
#: Powers of the means over tokens: nearly the least and nearly the largest distance count.
POWERS = (-2.0, 1.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Linear heads on the last tap of one encoder."""

    centre: Floats  #: (width,) of clean windows
    faults: Floats  #: (width, fault): how likely each known fault is, in log odds; none: not read
    fault_bias: Floats  #: (fault,)

    @classmethod
    def of_distance(cls, centre: Floats) -> "Reader":
        """Return a reader of the distance alone."""
        return cls(centre=centre, faults=np.zeros((len(centre), 0)), fault_bias=np.zeros(0))

    @property
    def n_read(self) -> int:
        """Numbers that are read of a window."""
        n_faults = len(self.fault_bias)
        return 1 + (len(POWERS) + n_faults if n_faults else 0)

    def read(self, tap: Floats, tokens: Floats, counts: Floats) -> Floats:
        """Return (n, n_read): log distance of the tap; then of its tokens, and log odds of faults.

        Args:
            tap: (n, width), the mean of the tokens that count.
            tokens: (n, 14, 14, width).
            counts: (n, 14, 14), 1 where a token counts.
        """
        distance = log_distance(tap, self.centre)[:, None]
        if not len(self.fault_bias):
            return distance
        found: Floats = np.hstack(
            [distance, self._spread(tokens, counts), tap @ self.faults + self.fault_bias]
        )
        return found

    def _spread(self, tokens: Floats, counts: Floats) -> Floats:
        """Return (n, POWERS): logs of the power means of the tokens' distances."""
        distance = ((tokens - self.centre) ** 2).mean(axis=3) + DISTANCE_FLOOR
        inside = counts.sum(axis=(1, 2))
        means = [(distance**power * counts).sum(axis=(1, 2)) / inside for power in POWERS]
        return np.stack([np.log(m) / p for m, p in zip(means, POWERS, strict=True)], axis=1)

    def arrays(self) -> dict[str, Floats]:
        """Return what a file keeps."""
        found = {"centre": self.centre}
        if len(self.fault_bias):
            found |= {"faults": self.faults, "fault_bias": self.fault_bias}
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Reader":
        """Read back `arrays`.

        Raises:
            KeyError: there is no centre, or one part of the heads without the other.
        """
        centre = np.asarray(arrays["centre"])
        if "faults" not in arrays:
            return cls.of_distance(centre)
        return cls(
            centre=centre,
            faults=np.asarray(arrays["faults"]),
            fault_bias=np.asarray(arrays["fault_bias"]),
        )


def log_distance(tap: Floats, centre: Floats) -> Floats:
    """Return (n,): log of the mean squared distance of (n, width) from the clean centre."""
    distance: Floats = np.log(((tap - centre) ** 2).mean(axis=1) + DISTANCE_FLOOR)
    return distance
