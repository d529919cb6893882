"""What MedQM-I learns by (SCIENCE 6d): quality with doubt, order, correlation, attributes."""

import torch
from torch import Tensor
from torch.nn import functional

BETA = 0.1
DOUBT_WEIGHT = 0.1  #: at rest the doubt is the logarithm of what is lost, over this
CLEAR = 0.05  #: labels that lie nearer say nothing about order
SHARP = 8.0  #: how fast a difference of qualities becomes certain


def doubted(quality: Tensor, logvar: Tensor, labels: Tensor) -> Tensor:
    """Return the smooth L1 of (n,) qualities, each weighed by how sure it was, plus its doubt."""
    off = functional.smooth_l1_loss(quality, labels, beta=BETA, reduction="none")
    return (off * torch.exp(-logvar) + DOUBT_WEIGHT * logvar).mean()


def misplaced(ranks: Tensor, wanted: Tensor) -> Tensor:
    """Return the smooth L1 of ranks (n,)."""
    return functional.smooth_l1_loss(ranks, wanted, beta=BETA)


def off_by(logvar: Tensor) -> Tensor:
    """Return how far a quality is likely off, in its own unit, as `doubted` taught it."""
    lost = DOUBT_WEIGHT * torch.exp(logvar)
    return torch.where(lost < BETA / 2, (2 * BETA * lost).sqrt(), lost + BETA / 2)


def ranking(quality: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """Return the fidelity loss of pairs; those of one image count twice (LIQE's form).

    Args:
        quality: (n,).
        labels: (n,).
        images: (n,) number of the image that each is a copy of.
    """
    wanted = labels[:, None] - labels[None]
    clear = (wanted.abs() > CLEAR).float().triu(diagonal=1)
    same = 1.0 + (images[:, None] == images[None]).float()
    said = torch.sigmoid(SHARP * (quality[:, None] - quality[None])).clamp(1e-6, 1 - 1e-6)
    truth = torch.sigmoid(SHARP * wanted)
    fidelity = 1 - (truth * said).sqrt() - ((1 - truth) * (1 - said)).sqrt()
    weights = clear * same
    return torch.div((fidelity * weights).sum(), weights.sum().clamp_min(1))


def uncorrelated(quality: Tensor, labels: Tensor) -> Tensor:
    """Return (1 - Pearson correlation) / 2 of a batch."""
    a, b = quality - quality.mean(), labels - labels.mean()
    close = torch.div((a * b).sum(), (a.norm() * b.norm()).clamp_min(1e-6))
    return 0.5 * (1 - close)


def attributes(severities: Tensor, levels: Tensor) -> Tensor:
    """Return the smooth L1 of severities (n, attribute).

    What is there counts as much as what is absent, although most faults are absent.

    Args:
        severities: 0 to 4.
        levels: the same of the ladder; negative where unknown.
    """
    off = functional.smooth_l1_loss(severities, levels, beta=0.5, reduction="none")
    there, absent = (levels > 0).float(), (levels == 0).float()
    mean = [(off * each).sum() / each.sum().clamp_min(1) for each in (there, absent)]
    both: Tensor = mean[0] + mean[1]
    return both
