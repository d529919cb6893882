"""From losses to a quality between 0 and 1: excess over the clean image, and two anchors.

    Delta_m(copy) = mean over truth and own answer of max( 0, l_m(copy) - l_m(clean) ) / sd_m
    Q_m = 1 / ( 1 + exp( (Delta_m - tau_m) / s_m ) )

Two anchors that mean something fix tau and s of each diagnostician (SCIENCE 6e): where 95 % of
harmless changes of gain lie Q is .90, and for a scan of nothing but speckle it is .05. A label is
the mean over kinds of diagnosticians, so that two networks of one kind count once.

A copy that brings an answer nearer to the truth by chance is no better an image: a gain counts as
nothing. Small networks err often, and without this rule they agree half as much on training images.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.errors import QualityError
from sonoquality.labelling.diagnosing import OWN, TRUTH, Diagnosed
from sonoquality.labelling.folds import HELD_BACK

LEAST_KINDS = 3
HARMLESS, NOTHING = 0.90, 0.05  #: Q at the anchors
SURE = 3.0  #: the anchors must lie so many standard errors apart
LOGITS = math.log(HARMLESS / (1 - HARMLESS)), math.log(NOTHING / (1 - NOTHING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How the losses of one diagnostician become Q; made of training images, then frozen."""

    name: str
    sd: tuple[float, float]  #: of the excess against the truth, and against its own answer
    harmless: float  #: Delta that Q .90 means
    nothing: float  #: Delta that Q .05 means
    error: float  #: standard error of the difference of the two
    n_images: int

    @property
    def kind(self) -> str:
        """What sort of diagnostician it is."""
        return self.name.split("-")[0]

    @property
    def usable(self) -> bool:
        """Whether a scan of speckle costs it clearly more than a harmless change."""
        return self.nothing - self.harmless > SURE * self.error

    def deltas(self, losses: Floats) -> Floats:
        """Return the standardised excess (n,) of losses (n, 2), the first of the clean image."""
        excess = np.maximum(losses - losses[:1], 0)
        return np.asarray(0.5 * (excess[:, TRUTH] / self.sd[0] + excess[:, OWN] / self.sd[1]))

    def quality(self, losses: Floats) -> Floats:
        """Return Q (n,) of losses (n, 2)."""
        s = (self.nothing - self.harmless) / (LOGITS[0] - LOGITS[1])
        tau = self.harmless + LOGITS[0] * s
        return np.asarray(1 / (1 + np.exp(np.clip((self.deltas(losses) - tau) / s, -60, 60))))


def scale_of(name: str, found: Sequence[Diagnosed], seed: int = 0) -> Scale:
    """Fit the scale of one diagnostician on the training images among `found`.

    Raises:
        ValueError: it judged fewer than two training images.
    """
    own = [each for each in found if name in each.losses and each.case.fold != HELD_BACK]
    if len(own) < 2:
        raise ValueError(f"{name} judged {len(own)} training images; label more of them.")
    faulty = np.concatenate(
        [(each.losses[name] - each.losses[name][:1])[_of(each, ("ladder",))] for each in own]
    )
    sd = faulty.std(axis=0)
    bare = Scale(
        name=name,
        sd=(float(max(sd[0], 1e-9)), float(max(sd[1], 1e-9))),
        harmless=0.0,
        nothing=0.0,
        error=0.0,
        n_images=len(own),
    )
    gains, blanks = (
        [bare.deltas(each.losses[name])[_of(each, (kind,))] for each in own]
        for kind in ("jitter", "blank")
    )
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(own), len(own)) for _ in range(200)]
    apart = [_nothing(blanks, draw) - _harmless(gains, draw) for draw in draws]
    every = np.arange(len(own))
    return Scale(
        name=name,
        sd=bare.sd,
        harmless=_harmless(gains, every),
        nothing=_nothing(blanks, every),
        error=float(np.std(apart)),
        n_images=len(own),
    )


def labels(
    each: Diagnosed, scales: Mapping[str, Scale], without: Iterable[str] = ()
) -> tuple[Floats, Floats] | None:
    """Return the label (n,) of a case's copies and how far the kinds differ (n,).

    Args:
        each: a case with its losses.
        scales: of the diagnosticians that count, by name.
        without: kinds that are left out.

    Returns:
        None if fewer than three kinds are left.
    """
    left_out = tuple(without)
    by_kind = kinds_of(each, scales, left_out)
    if len(by_kind) < LEAST_KINDS - len(left_out):
        return None
    of_kinds = np.stack(list(by_kind.values()))
    return np.asarray(of_kinds.mean(axis=0)), np.asarray(of_kinds.std(axis=0))


def need_labels(
    found: Sequence[Diagnosed], scales: Mapping[str, Scale], why_not: Mapping[str, str]
) -> None:
    """Refuse a run whose diagnosticians label no training image, or no validation image.

    Args:
        found: all images.
        scales: of the diagnosticians that count, by name.
        why_not: whose word does not count, and why.

    Raises:
        QualityError: that is so; nothing can be learned from such labels, or measured by them.
    """
    judged = [each for each in found if labels(each, scales) is not None]
    for split, held_back in (("training", False), ("validation", True)):
        if not any((each.case.fold == HELD_BACK) == held_back for each in judged):
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(why_not.items()))
            raise QualityError(
                f"No {split} image has a label: a label needs {LEAST_KINDS} kinds of "
                f"diagnosticians whose word counts, and there are {sorted(scales)}. Train them "
                f"longer, or on more images. Not counted: {reasons or 'none'}."
            )


def kinds_of(
    each: Diagnosed, scales: Mapping[str, Scale], without: Iterable[str] = ()
) -> dict[str, Floats]:
    """Return Q (n,) of a case's copies by kind of diagnostician, for arguments as of `labels`."""
    left_out = tuple(without)
    by_kind: dict[str, list[Floats]] = {}
    for name, losses in each.losses.items():
        scale = scales.get(name)
        if scale is not None and scale.kind not in left_out:
            by_kind.setdefault(scale.kind, []).append(scale.quality(losses))
    return {kind: np.asarray(np.mean(found, axis=0)) for kind, found in by_kind.items()}


def _of(each: Diagnosed, kinds: Sequence[str]) -> list[int]:
    return [number for number, copy in enumerate(each.copies) if copy.kind in kinds]


def _harmless(gains: Sequence[Floats], draw: np.ndarray) -> float:
    return float(np.percentile(np.concatenate([gains[i] for i in draw]), 95))


def _nothing(blanks: Sequence[Floats], draw: np.ndarray) -> float:
    return float(np.median(np.concatenate([blanks[i] for i in draw])))
