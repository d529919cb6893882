"""What the encoder must learn, as losses on its taps.

The score that will be made of the features is a distance from clean windows, so the last tap is
shaped for that: clean windows together, every fault outside, higher levels further out, its kind
readable linearly. The taps before keep what the last may forget: texture, and what changed where.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonoquality.networks.profiles import EncoderProfile
from sonoquality.training.encoder.bank import TRAINED
from sonoquality.training.encoder.config import LossWeights
from sonoquality.training.encoder.masking import Decoder
from sonoquality.training.encoder.targets import N_CHANGES, N_TEXTURES

TEXTURE_TAP = 1  #: second of the taps
TEMPERATURE = 0.25  #: of distances, which are logarithmic, when ranked
RARE = -2.5  #: log odds of a fault before anything is learned
MARGIN = 0.25  #: by which a higher level lies further out, per level


class Heads(nn.Module):
    """Linear readings of the taps; used in training only."""

    def __init__(self, profile: EncoderProfile, *, decodes: bool = False) -> None:
        super().__init__()
        self.severity = nn.ModuleList(_severity_head(profile.width) for _ in profile.taps)
        self.texture = nn.Linear(profile.width, N_TEXTURES)
        self.change = nn.Linear(profile.width, N_CHANGES)
        self.centre = nn.Parameter(torch.zeros(profile.width))
        if decodes:
            self.decoder = Decoder(profile.width)


def _severity_head(width: int) -> nn.Linear:
    head = nn.Linear(width, len(TRAINED))
    nn.init.constant_(head.bias, RARE)
    return head


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of a batch of n ladders."""

    inside: Tensor  #: (n, 196) bool
    severity: Tensor  #: (n, 3, operator) in [0, 1]: level, if it shows in the window
    texture: Tensor  #: (n, 3, 196, 38), standardised
    change: Tensor  #: (n, 3, 196, 3)


def pooled(tokens: Tensor, inside: Tensor) -> Tensor:
    """Average tokens (n, 3, 196, width) over those inside (n, 196); returns (n, 3, width)."""
    weight = inside.float()[:, None, :, None]
    return (tokens * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)


def losses_of(
    taps: list[Tensor], heads: Heads, truth: Truth, weights: LossWeights
) -> dict[str, Tensor]:
    """Return every weighted loss by name; a weight of 0 leaves its loss out.

    Args:
        taps: (n, 3, 196, width) each.
        heads: readings of the taps.
        truth: what they should read.
        weights: what counts.
    """
    means = [pooled(tap, truth.inside) for tap in taps]
    distance = _log_distance(means[-1], heads.centre)
    bad = 1 - (1 - truth.severity).prod(dim=2)
    terms = {
        "severity": lambda: _severity(means[-1], heads.severity[-1], truth),
        "early_severity": lambda: _early(means, heads, truth),
        "detection": lambda: detection(distance, bad),
        "ladder": lambda: ladder(distance, bad),
        "compact": lambda: (means[-1][:, 0] - heads.centre).square().mean(),
        "change": lambda: _at_tokens(heads.change(taps[-1]), truth.change, truth.inside),
        "texture": lambda: _texture(taps[TEXTURE_TAP], heads, truth),
    }
    chosen = {name: getattr(weights, name) for name in terms}
    return {name: weight * terms[name]() for name, weight in chosen.items() if weight > 0}


def _log_distance(mean: Tensor, centre: Tensor) -> Tensor:
    """Return (n, 3): log of the squared distance from the clean centre, per feature."""
    return torch.log((mean - centre).square().mean(dim=2) + 1e-3)


def _severity(mean: Tensor, head: nn.Module, truth: Truth) -> Tensor:
    found = functional.binary_cross_entropy_with_logits(
        head(mean), truth.severity, reduction="none"
    )
    return found.sum(dim=2).mean()


def _early(means: list[Tensor], heads: Heads, truth: Truth) -> Tensor:
    pairs = zip(means[:-1], heads.severity[:-1], strict=True)
    return torch.stack([_severity(mean, head, truth) for mean, head in pairs]).sum()


def detection(distance: Tensor, bad: Tensor) -> Tensor:
    """Rank every degraded window of the batch beyond every clean one (a smooth 1 - AUROC).

    Args:
        distance: (n, 3) logarithmic; the first of each row is clean.
        bad: (n, 3) in [0, 1]; a window whose fault does not show weighs nothing.
    """
    clean, degraded = distance[:, 0], distance[:, 1:].reshape(-1)
    shows = (bad[:, 1:].reshape(-1) * 5).clamp(max=1)
    gap = degraded[:, None] - clean[None]
    cost = functional.softplus(-gap / TEMPERATURE).mean(dim=1)
    return (cost * shows).sum() / shows.sum().clamp(min=1)


def ladder(distance: Tensor, bad: Tensor) -> Tensor:
    """Rank the rungs of each ladder, by a margin that grows with what lies between them."""
    step = bad[:, 1:] - bad[:, :-1]
    gap = distance[:, 1:] - distance[:, :-1]
    cost = functional.softplus((5 * MARGIN * step - gap) / TEMPERATURE)
    counts = (step > 0.02).float()
    return (cost * counts).sum() / counts.sum().clamp(min=1)


def _at_tokens(found: Tensor, wanted: Tensor, inside: Tensor) -> Tensor:
    cost = functional.smooth_l1_loss(found, wanted, beta=0.1, reduction="none").sum(dim=-1)
    weight = inside.float()[:, None]
    return (cost * weight).sum() / (weight.sum() * cost.shape[1]).clamp(min=1)


def _texture(tap: Tensor, heads: Heads, truth: Truth) -> Tensor:
    """Compare at tokens, and of the mean over tokens, which is what a score is made of."""
    found = heads.texture(tap)
    at_tokens = functional.smooth_l1_loss(found, truth.texture, reduction="none").mean(dim=-1)
    weight = truth.inside.float()[:, None]
    mean_cost = (at_tokens * weight).sum() / (weight.sum() * at_tokens.shape[1]).clamp(min=1)
    of_mean = pooled(found, truth.inside) - pooled(truth.texture, truth.inside)
    return mean_cost + of_mean.square().mean()
