"""Masked modelling in space and in frequency: what is hidden of a window is told from the rest.

The recipe that ultrasound foundation models start from (USFM's spatial-frequency masking, SCIENCE
6a `L_mim`): blocks of the picture, or rings of its spectrum, are taken away; a small decoder must
give back the pixels. Here it is one loss among others, off unless a configuration asks for it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from sonoquality.preprocess import WINDOW
from sonoquality.training.encoder.windows import TOKEN

BLOCK = 32  #: px that are hidden together
HIDDEN_SHARE = 0.6  #: of the blocks
RING = 8  #: width of a ring of frequencies, in cycles per window
PROTECTED = 6  #: cycles per window below which nothing is taken away
STOPPED_SHARE = 0.3  #: of the rings
GREY = 0.5  #: what hidden blocks show
DECODER_WIDTH = 64


class Decoder(nn.Sequential):
    """Two layers from a token (width) to the pixels of its patch (256)."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Linear(width, DECODER_WIDTH), nn.GELU(), nn.Linear(DECODER_WIDTH, TOKEN**2)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Clean windows of which something is hidden."""

    spatial: Tensor  #: (n, 1, 224, 224) with grey blocks
    spectral: Tensor  #: (n, 1, 224, 224) without some rings of frequencies
    blocks: Tensor  #: (n, 196) bool: tokens that lie in hidden blocks
    pixels: Tensor  #: (n, 196, 256) as they were, each patch row by row

    def to(self, device: torch.device) -> "Hidden":
        """Return the same on another device."""
        return Hidden(**{name: getattr(self, name).to(device) for name in self.__slots__})


def hide(clean: Tensor, rng: Generator) -> Hidden:
    """Hide blocks and rings, others in every window.

    Args:
        clean: (n, 224, 224) in [0, 1].
        rng: which are hidden.
    """
    n = len(clean)
    side = WINDOW // BLOCK
    blocks = torch.from_numpy(_share_of(n, side * side, HIDDEN_SHARE, rng)).reshape(n, side, side)
    rings = torch.from_numpy(_share_of(n, WINDOW // 2 // RING, STOPPED_SHARE, rng))
    tokens = _repeated(blocks, BLOCK // TOKEN)
    return Hidden(
        spatial=torch.where(_repeated(blocks, BLOCK), GREY, clean)[:, None],
        spectral=without_rings(clean, rings)[:, None],
        blocks=tokens.flatten(1),
        pixels=functional.unfold(clean[:, None], TOKEN, stride=TOKEN).transpose(1, 2),
    )


def without_rings(clean: Tensor, stopped: Tensor) -> Tensor:
    """Take rings of frequencies out of windows (n, 224, 224); `stopped` is (n, 14) bool."""
    cycles = torch.fft.fftfreq(WINDOW, 1 / WINDOW)
    radius = (cycles[:, None].square() + cycles[None].square()).sqrt()
    ring = (radius / RING).long().clamp(max=stopped.shape[1] - 1)
    taken = stopped[:, ring] & (radius > PROTECTED)
    kept: Tensor = torch.fft.ifft2(torch.fft.fft2(clean) * ~taken).real
    return kept.clamp(0, 1)


def masked(
    spatial: Tensor, spectral: Tensor, decoder: nn.Module, hidden: Hidden, inside: Tensor
) -> Tensor:
    """Return what the decoder gets wrong, less where both views of a window disagree.

    Args:
        spatial: last tap (n, 196, width) of the windows with hidden blocks.
        spectral: the same of those without some rings.
        decoder: from a token to its pixels.
        hidden: what was hidden.
        inside: (n, 196) tokens in the scan mask.
    """
    errors = [(decoder(tokens) - hidden.pixels).abs().mean(dim=2) for tokens in (spatial, spectral)]
    counted = [hidden.blocks & inside, inside]
    each = [_mean(error, where) for error, where in zip(errors, counted, strict=True)]
    one, other = (_mean(tokens, inside[..., None]) for tokens in (spatial, spectral))
    agreement = (1 + functional.cosine_similarity(one, other).detach()) / 2
    return (agreement * torch.stack(each).sum(dim=0)).mean()


def _mean(values: Tensor, where: Tensor) -> Tensor:
    weight = where.float()
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def _share_of(
    n: int, count: int, share: float, rng: Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return (n, count) bool with the same number set, at random, in every row."""
    ranks = rng.random((n, count)).argsort(axis=1).argsort(axis=1)
    return np.asarray(ranks < round(share * count))


def _repeated(flags: Tensor, times: int) -> Tensor:
    return flags.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
