"""uLPIPS in `robust` mode: a distance in batches that a network can be trained with.

Where the released one (`metrics.ulpips_paper`) draws the whole picture to a square, this one keeps
the aspect and also looks at native resolution, in the same windows of both pictures; its Gram term
is scaled to count; tokens are compared directly too (SCIENCE.md §6c). Every part lies in [0, 1].
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from sonoquality.metrics.ulpips_paper import neighbourhoods
from sonoquality.networks.encode import normalised
from sonoquality.networks.views import View, look, native_views, spread, token_shares, whole_views
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import LEAST_MASK

TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class UlpipsRecipe:
    """How much each part of the distance counts."""

    structure: float = 0.6  #: of the neighbours' affinities
    gram: float = 0.2  #: of the channels' Gram matrices
    token: float = 0.2  #: of the tokens themselves
    whole: float = 0.5  #: of the view of the whole picture, where there is one
    sharpness: float = 20.0  #: tau of the softmax over a neighbourhood


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is different between two batches of pictures, and where."""

    distance: Tensor  #: (n,) in [0, 1]; 0 for identical pictures
    map: Tensor  #: (n, height, width); the Gram term has no place in it; no gradient


class Ulpips(nn.Module):
    """The distance under one encoder, which is frozen by this; gradients pass to the pictures."""

    near: Tensor
    pairs: Tensor
    valid: Tensor

    def __init__(self, encoder: VisionTransformer, recipe: UlpipsRecipe | None = None) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(requires_grad=False)
        self.recipe = recipe or UlpipsRecipe()
        near, valid = _neighbour_table(encoder.profile.grid**2)
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("valid", valid, persistent=False)
        pairs = near[:, :, None] * len(near) + near[:, None, :]
        self.register_buffer("pairs", pairs.flatten(), persistent=False)

    def train(self, mode: bool = True) -> "Ulpips":  # noqa: FBT001, FBT002 - torch's signature
        """Stay as it is: a distance doesn't learn."""
        del mode
        return self

    def forward(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the distances (n,) of pictures (n, 1, height, width) in [0, 1].

        Args:
            a: the pictures.
            b: as many of the same size.
            mask: (n, 1, height, width) or (1, 1, height, width), 1 where tissue is; all of it by
                default. Tokens that lie less than half in it are not looked at.

        Raises:
            ValueError: the shapes differ, or the pictures are smaller than a token.
        """
        return self._compare(a, b, mask)[0]

    @torch.no_grad()
    def compare(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Comparison:
        """Return the distances with their maps; see `forward`."""
        distance, found = self._compare(a, b, mask)
        size = (a.shape[2], a.shape[3])
        grid = self.encoder.profile.grid
        maps = [
            share * spread(local.reshape(*local.shape[:2], grid, grid), views, size)
            for share, views, local in found
        ]
        return Comparison(distance=distance, map=torch.stack(maps).sum(dim=0))

    def _compare(
        self, a: Tensor, b: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, list[tuple[float, tuple[View, ...], Tensor]]]:
        """Return the distances (n,), and of each kind of view its share and its tokens' map."""
        self._check(a, b)
        counts = (torch.ones_like(a) if mask is None else mask.to(a).expand_as(a)).detach()
        size = (a.shape[2], a.shape[3])
        native, whole = native_views(size), whole_views(size)
        kinds = [(1.0 - self.recipe.whole, native), (self.recipe.whole, whole)]
        kinds = kinds if whole else [(1.0, native)]
        distance, found = a.new_zeros(len(a)), []
        for share, views in kinds:
            part, local = self._seen(a, b, counts, views)
            distance = distance + share * part
            found.append((share, views, local))
        return distance, found

    def _check(self, a: Tensor, b: Tensor) -> None:
        patch = self.encoder.profile.patch
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 1 or min(a.shape[2:]) < patch:
            raise ValueError(
                f"Expected two batches (n, 1, height, width) of at least {patch} px a side, got "
                f"{tuple(a.shape)} and {tuple(b.shape)}."
            )

    def _seen(
        self, a: Tensor, b: Tensor, mask: Tensor, views: tuple[View, ...]
    ) -> tuple[Tensor, Tensor]:
        """Return the distances (n,) through some views, and the tokens' map (n, view, token)."""
        shares = self._token_weights(mask, views)
        weights = shares.flatten(0, 1)
        local, gram = a.new_zeros(weights.shape), a.new_zeros(len(weights))
        taps, others = (self._taps(look(each, views)) for each in (a, b))
        for tap, other in zip(taps, others, strict=True):
            near, wide = self._layer(tap, other, weights)
            local, gram = local + near / len(taps), gram + wide / len(taps)
        local, gram = local.reshape(shares.shape), gram.reshape(shares.shape[:2])
        areas = shares.sum(dim=2)
        total = (local * shares).sum(dim=(1, 2)) + (gram * areas).sum(dim=1)
        return total / areas.sum(dim=1), local * (shares > 0)

    def _token_weights(self, mask: Tensor, views: tuple[View, ...]) -> Tensor:
        """Return (n, view, token) shares in the mask; of a picture whose mask holds none, all."""
        patch = self.encoder.profile.patch
        shares, everywhere = (
            token_shares(each, views, patch) for each in (mask, torch.ones_like(mask))
        )
        kept = torch.where(shares < LEAST_MASK, 0.0, shares)
        return torch.where(kept.sum(dim=(1, 2), keepdim=True) == 0, everywhere, kept)

    def _taps(self, windows: Tensor) -> list[Tensor]:
        """Return the tokens of each tap as directions: (n x view, token, channel), length 1."""
        pictures = normalised(windows.flatten(0, 1), self.encoder.profile.channels)
        return [functional.normalize(tap, dim=2) for tap in self.encoder.tokens(pictures)]

    def _layer(self, g: Tensor, h: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return what differs at each token (n, token), and in the Gram matrices (n,), weighted."""
        if torch.is_grad_enabled() and (g.requires_grad or h.requires_grad):
            # A neighbourhood's affinities are 49 x 49 numbers a token: made anew, not kept.
            structure = checkpoint(self._structure, g, h, weights, use_reentrant=False)
        else:
            structure = self._structure(g, h, weights)
        # Of unit vectors (1 - <g, h>) / 2 is |g - h|^2 / 4, which is exactly 0 for equal ones.
        token = (g - h).square().sum(dim=2) / 4.0
        local = self.recipe.structure * structure + self.recipe.token * token
        return local, self.recipe.gram * _gram_distance(g, h, weights)

    def _structure(self, g: Tensor, h: Tensor, weights: Tensor) -> Tensor:
        """Return (n, token): mean total variation between the affinities around each token."""
        counts = (weights > 0)[:, self.near] & self.valid
        gap = (self._affinities(g, counts) - self._affinities(h, counts)).abs().sum(dim=3) / 2.0
        rows = counts.to(g)
        return (gap * rows).sum(dim=2) / rows.sum(dim=2).clamp_min(1.0)

    def _affinities(self, g: Tensor, counts: Tensor) -> Tensor:
        """Return (n, token, 49, 49): the softmax over the neighbours that count."""
        n_tokens, n_near = self.near.shape
        similar = torch.exp(self.recipe.sharpness * (g @ g.transpose(1, 2) - 1.0))
        around = similar.flatten(1).index_select(1, self.pairs)
        around = around.view(len(g), n_tokens, n_near, n_near) * counts[:, :, None, :]
        affinities: Tensor = around / around.sum(dim=3, keepdim=True).clamp_min(TINY**2)
        return affinities


def _neighbour_table(n_tokens: int) -> tuple[Tensor, Tensor]:
    """Return (token, 49) numbers of the tokens around each, and which of them are in the grid."""
    around = neighbourhoods(n_tokens)
    widest = max(len(near) for near in around)
    filled = [near + [near[0]] * (widest - len(near)) for near in around]
    valid = [[i < len(near) for i in range(widest)] for near in around]
    return torch.tensor(filled), torch.tensor(valid)


def _gram_distance(g: Tensor, h: Tensor, weights: Tensor) -> Tensor:
    """Return (n,): the Frobenius distance of the weighted Gram matrices, at most 1."""
    shares = (weights / weights.sum(dim=1, keepdim=True).clamp_min(TINY))[:, :, None]
    grams = [x.transpose(1, 2) @ (shares * x) for x in (g, h)]
    apart: Tensor = torch.linalg.vector_norm(grams[0] - grams[1], dim=(1, 2))
    return apart / math.sqrt(2.0)
