"""NRQ as released with the paper, number for number (SCIENCE.md §3.3).

Its known defects are kept, since this is the mode for comparing with the paper: the score falls
with the number of windows, what leaves the PCA is not seen, at most 16 windows are looked at, and
the black frame counts as tissue. Plain numpy in float64; the encoder is handed in.

Two things differ on purpose: 16-bit images reach this module scaled, not clipped, and images
smaller than one patch of the encoder are refused instead of being mirrored many times over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonoquality.arrays import Encode, Floats, Luma, ShapeError, Tokens, Windows
from sonoquality.errors import SmallImageError, UnknownOrganError
from sonoquality.metrics.organ_model import OrganModel, log_sum_exp

WINDOW, STRIDE = 224, 112
MOST_WINDOWS = 16
SEED = 2026
WORST_SHARE = 0.15
LEAST_SIDE = 16
#: What a vector is divided by at least when its length is made 1.
LEAST_NORM = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperNrq:
    """The released score of one image: a mean log-density, unbounded, higher is better."""

    mixture: float  #: the organ is unknown: every organ model weighs the same
    organs: Mapping[str, float]  #: under each organ model alone
    n_windows: int

    def of(self, organ: str | None) -> float:
        """Return the score under one organ model, or under their mixture for None.

        Raises:
            UnknownOrganError: no such organ model was given.
        """
        if organ is None:
            return self.mixture
        if organ not in self.organs:
            known = ", ".join(sorted(self.organs))
            raise UnknownOrganError(f"No organ model is called {organ!r}; given were {known}.")
        return self.organs[organ]


def score(luma: Luma, encode: Encode, organs: Mapping[str, OrganModel]) -> PaperNrq:
    """Score one image.

    Args:
        luma: (height, width) uint8.
        encode: the encoder whose features the organ models were fitted on.
        organs: organ models by name, at least one.

    Raises:
        ShapeError: `luma` is no uint8 image.
        SmallImageError: a side is shorter than 16 px.
        OtherEncoderError: the organ models belong to another encoder.
    """
    windows = windows_of(luma)
    features = features_of(encode(windows))
    logs = {name: model.log_density(features) for name, model in organs.items()}
    mixture = log_sum_exp(np.stack(list(logs.values()), axis=-1)) - np.log(len(logs))
    return PaperNrq(
        mixture=worst_mean(mixture),
        organs={name: worst_mean(log) for name, log in logs.items()},
        n_windows=len(windows),
    )


def windows_of(luma: Luma) -> Windows:
    """Cut (window, 1, 224, 224) in [0, 1] at native resolution; at most 16, drawn by a fixed seed.

    Raises:
        ShapeError: `luma` is no uint8 image.
        SmallImageError: a side is shorter than 16 px.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8:
        raise ShapeError(f"Expected (height, width) uint8, got {luma.shape} {luma.dtype}.")
    if min(luma.shape) < LEAST_SIDE:
        raise SmallImageError(
            f"The image is {luma.shape[0]} x {luma.shape[1]} px; a side needs {LEAST_SIDE} px or "
            "more. Give the image at its native resolution."
        )
    large = np.pad(luma, [_margins(side) for side in luma.shape], mode="reflect")
    corners = corners_of(large.shape[0], large.shape[1])
    if len(corners) > MOST_WINDOWS:
        drawn = np.random.default_rng(SEED).choice(len(corners), MOST_WINDOWS, replace=False)
        corners = [corners[i] for i in drawn]
    cuts = [large[top : top + WINDOW, left : left + WINDOW] for top, left in corners]
    return np.stack(cuts)[:, None].astype(np.float32) / np.float32(255.0)


def _margins(side: int) -> tuple[int, int]:
    """Return what is mirrored before and after a side that is too short; the odd pixel after."""
    lacking = max(0, WINDOW - side)
    return lacking // 2, lacking - lacking // 2


def corners_of(height: int, width: int) -> list[tuple[int, int]]:
    """Return (top, left) of all windows, in the released order.

    The stride's grid row by row, then the row that touches the bottom, the column that touches the
    right side, and the corner, each only where the grid does not reach it.
    """
    bottom, right = height - WINDOW, width - WINDOW
    tops, lefts = range(0, bottom + 1, STRIDE), range(0, right + 1, STRIDE)
    ordered = [(top, left) for top in tops for left in lefts]
    ordered += [(bottom, left) for left in lefts]
    ordered += [(top, right) for top in tops]
    ordered.append((bottom, right))
    return list(dict.fromkeys(ordered))


def features_of(taps: Sequence[Tokens]) -> Floats:
    """Return (n, D): the mean token of each tap, joined, as one vector of length 1."""
    joined = np.concatenate([tap.astype(np.float64).mean(axis=1) for tap in taps], axis=1)
    lengths = np.linalg.norm(joined, axis=1, keepdims=True)
    features: Floats = joined / np.maximum(lengths, LEAST_NORM)
    return features


def worst_mean(log_density: Floats) -> float:
    """Return the mean over the least likely 15 % of the windows, at least one.

    Half a window rounds as Python's `round` does: of 10 windows, 2 count.
    """
    n_worst = max(1, round(WORST_SHARE * log_density.size))
    return float(np.sort(log_density)[:n_worst].mean())
