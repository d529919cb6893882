"""A score made of several experts: densities of clean windows, a distance from them, a ranking.

An expert looks at one block of features: the 38 numbers of `baselines.dct`, chosen taps of an
encoder, the distance of its last tap from the clean centre, or (a ranking that was learned from
ladders) the 38 numbers with all that the encoder's heads read (`metrics.reader`). Its energy
becomes robust deviations above its own clean median; the badness of a window is their weighted
mean. The same holds for single blocks, for the heat map, but with asinh of the deviations: a block
has few pixels, and no single one may shout. This is the reference; `sonoquality.export.density`
writes the same computation as a graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sonoquality.arrays import Floats, Windows
from sonoquality.errors import UnknownOrganError
from sonoquality.metrics.baselines import token_features, window_features
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.organs import Organs
from sonoquality.metrics.ranker import Ranker
from sonoquality.metrics.reader import Reader, log_distance

Encoded: TypeAlias = NDArray[np.floating[Any]]
"""What an encoder says, in the precision it says it."""
Level = Literal["window", "block"]
Kind = Literal["dct", "taps", "tokens", "distance", "rank"]
#: What an expert may look at: whole windows, and single blocks of 16 px.
KINDS: Mapping[Level, tuple[Kind, ...]] = {
    "window": ("dct", "taps", "distance", "rank"),
    "block": ("dct", "tokens", "distance"),
}
#: A tap of no length at all stays where it is.
LEAST_LENGTH = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All that experts look at, of n windows."""

    dct: Floats  #: (n, 38)
    taps: Floats  #: (n, tap, width): mean of the tokens inside the mask
    block_dct: Floats  #: (n, 14, 14, 38): smoothed over 3x3 blocks
    tokens: Floats  #: (n, 14, 14, width) of the last tap
    counts: Floats  #: (n, 14, 14), 1 where a block lies in the mask
    read: Floats  #: (n, n_read) by the encoder's heads; the distance first

    @classmethod
    def of(
        cls, pixels: Windows, masks: Windows, encoded: tuple[Encoded, Encoded], reader: Reader
    ) -> "Features":
        """Measure windows and masks (n, 1, 224, 224), given what an encoder says of them.

        Args:
            pixels: in [0, 1].
            masks: 1 inside the scan.
            encoded: taps (n, tap, width) and last tokens (n, 14, 14, width).
            reader: of that encoder.
        """
        block_dct, counts = token_features(pixels, masks)
        taps, tokens = (np.asarray(each, dtype=np.float64) for each in encoded)
        return cls(
            dct=window_features(pixels, masks),
            taps=taps,
            block_dct=block_dct,
            tokens=tokens,
            counts=counts,
            read=reader.read(taps[:, -1], tokens, counts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one expert looks at."""

    kind: Kind
    taps: tuple[int, ...] = ()  #: blocks of the encoder, counted from 1; of `taps` only

    @property
    def name(self) -> str:
        """Return its name in files and graphs."""
        return "_".join([self.kind, *map(str, self.taps)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """One energy and its clean scale."""

    view: View
    weight: float
    model: Manifold | Ranker | None  #: none: the one feature is itself the energy
    median: float  #: energy of a clean window
    mad: float  #: 1.4826 x median absolute deviation of the clean energies

    def energy(self, values: Floats) -> Floats:
        """Return (n,) of values (n, D)."""
        return values[:, 0] if self.model is None else self.model.energy(values)

    def badness(self, values: Floats) -> Floats:
        """Return robust deviations above clean, (n,)."""
        badness: Floats = (self.energy(values) - self.median) / self.mad
        return badness


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertManifold:
    """Clean images of one kind as experts see them, by the features of one encoder."""

    encoder_sha256: str  #: of its fp32 parent, whatever precision gave the features
    encoder_taps: tuple[int, ...]  #: blocks that are tapped, counted from 1
    reader: Reader  #: of that encoder
    window: tuple[Expert, ...]
    block: tuple[Expert, ...]
    n_components: int  #: room in the graph for Gaussians of each mixture
    organs: Organs | None = None  #: of the `dct` expert of windows

    def for_organ(self, name: str) -> "ExpertManifold":
        """Return the manifold that takes every picture for one organ's.

        Raises:
            UnknownOrganError: it knows no such organ, or none at all.
        """
        mixture = self.shared_mixture()
        if self.organs is None or mixture is None:
            raise UnknownOrganError("The model knows no organs; leave the organ out.")
        own = self.organs.mixture(mixture, name)
        median, mad = float(own.median), float(own.mad)
        window = tuple(
            replace(e, model=own, median=median, mad=mad) if e.view.kind == "dct" else e
            for e in self.window
        )
        return replace(self, window=window)

    def organ_posterior(self, dct: Floats) -> Mapping[str, float]:
        """Return how likely each organ is, of an image's windows (n, 38); empty if unknown."""
        mixture = self.shared_mixture()
        if self.organs is None or mixture is None:
            return {}
        return self.organs.posterior(mixture, dct)

    def shared_mixture(self) -> Manifold | None:
        """Return the mixture of the `dct` expert of windows, if there is one."""
        found = (e.model for e in self.window if e.view.kind == "dct")
        return next((model for model in found if isinstance(model, Manifold)), None)

    def badness(self, features: Features) -> Floats:
        """Return (n,)."""
        return mean(self.window, [self._window_values(e.view, features) for e in self.window])

    def block_badness(self, features: Features) -> Floats:
        """Return (n, 14, 14); 0 where a block does not count."""
        values = [block_values(e.view, features, self.reader.centre) for e in self.block]
        found = mean(self.block, values, np.arcsinh)
        return found.reshape(features.counts.shape) * features.counts

    def _window_values(self, view: View, features: Features) -> Floats:
        return window_values(view, features, self.encoder_taps)


def mean(
    experts: Sequence[Expert],
    values: Sequence[Floats],
    bounded: Callable[[Floats], Floats] = np.asarray,
) -> Floats:
    """Return the weighted mean of what the experts say, (n,), each of its values (n, D)."""
    weights = np.array([expert.weight for expert in experts])
    parts = [bounded(e.badness(v)) for e, v in zip(experts, values, strict=True)]
    found: Floats = np.stack(parts, axis=1) @ (weights / weights.sum())
    return found


def window_values(view: View, features: Features, encoder_taps: tuple[int, ...]) -> Floats:
    """Return what a view shows of windows, (n, D)."""
    if view.kind == "dct":
        return features.dct
    if view.kind == "distance":
        return features.read[:, :1]
    if view.kind == "rank":
        return np.hstack([features.dct, features.read])
    chosen = features.taps[:, [encoder_taps.index(tap) for tap in view.taps]]
    length = np.maximum(np.sqrt((chosen**2).sum(axis=2, keepdims=True)), LEAST_LENGTH)
    values: Floats = (chosen / length).reshape(len(chosen), -1)
    return values


def block_values(view: View, features: Features, centre: Floats) -> Floats:
    """Return what a view shows of blocks, (n * 196, D), row by row."""
    if view.kind == "dct":
        return features.block_dct.reshape(-1, features.block_dct.shape[-1])
    tokens = features.tokens.reshape(-1, features.tokens.shape[-1])
    return log_distance(tokens, centre)[:, None] if view.kind == "distance" else tokens
