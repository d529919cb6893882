"""uLPIPS in `robust` mode: a distance in batches that a network can be trained with.

Where the released one (`metrics.ulpips_paper`) draws the whole picture to a square, this one keeps
the aspect, and can look at native resolution too, in the same windows of both pictures. Relations
between tokens, Gram matrices and tokens themselves can count (SCIENCE.md §6c), each in [0, 1].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from sonoquality.metrics.ulpips_paper import neighbourhoods
from sonoquality.networks.encode import normalised
from sonoquality.networks.tolerated import without_tolerated
from sonoquality.networks.views import View, look, native_views, spread, token_shares, whole_views
from sonoquality.networks.vit import VisionTransformer
from sonoquality.preprocess import LEAST_MASK

TINY, FAINT = 1e-12, 1e-18
#: Windows at once: what they make (16 MB at a tap) stays near the processor, six times as fast.
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class UlpipsRecipe:
    """What the distance looks at, and how much each part counts; docs/results/ulpips.md chose."""

    structure: float = 0.0  #: of the neighbours' affinities
    gram: float = 0.0  #: of the channels' Gram matrices
    token: float = 1.0  #: of the tokens themselves
    whole: float = 1.0  #: of the view of the whole picture, where there is one
    taps: tuple[float, ...] | None = None  #: weight of each layer; all the same by default
    sharpness: float = 20.0  #: tau of the softmax over a neighbourhood
    centred: bool = True  #: tokens beside their window's mean: what all share counts less
    power: float = 4.0  #: of the mean over tokens; above 1 the worst places count more
    tolerant: bool = True  #: of 3 dB and 1 px (`tolerated`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is different between two batches of pictures, and where."""

    distance: Tensor  #: (n,) in [0, 1]; 0 for identical pictures
    map: Tensor  #: (n, height, width); the Gram term has no place in it; no gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What is different through one kind of view, token by token, each in [0, 1]."""

    structure: Tensor  #: (n, tap, view, token)
    token: Tensor  #: (n, tap, view, token)
    gram: Tensor  #: (n, tap, view)
    shares: Tensor  #: (n, view, token): how much each counts


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
            a: the pictures, or one that all of the others are compared with.
            b: as many of the same size.
            mask: (n, 1, height, width) or (1, 1, height, width), 1 where tissue is; all of it by
                default. Tokens that lie less than half in it are not looked at.

        Raises:
            ValueError: the shapes differ, or the pictures are smaller than a token.
        """
        return self.weighed(self.parts(a, b, mask))

    def parts(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the distances are made of, not yet weighed; see `forward`.

        Returns:
            (n, kind of view, tap, term), each in [0, 1]: native windows first, then the whole
            picture where it doesn't fit into one; structure, Gram, token.
        """
        return self.pooled(self.differences(a, b, mask), self.recipe.power)

    def differences(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> list[Differences]:
        """Return what is different through each kind of view, not yet pooled; see `parts`.

        What the recipe gives no weight is not looked at: structure is 0, a kind of view missing.
        """
        self._check(a, b, mask)
        counts = (torch.ones_like(b) if mask is None else mask.to(b).expand_as(b)).detach()
        if self.recipe.tolerant:
            a, b, counts = without_tolerated(a, b, counts)
        return [self._seen(a, b, counts, views) for views in self._views(b)]

    def pooled(self, found: Sequence[Differences], power: float) -> Tensor:
        """Return `parts` of what `differences` returned, by a power mean over tokens."""
        return torch.stack([_pooled(each, power) for each in found], dim=1)

    def weighed(self, parts: Tensor) -> Tensor:
        """Return the distances (n,) by the recipe, of what `parts` returned."""
        terms = parts.new_tensor([self.recipe.structure, self.recipe.gram, self.recipe.token])
        taps = self._tap_weights(parts)
        kinds = parts.new_tensor(self._kind_weights(parts.shape[1]))
        return torch.einsum("nktj,k,t,j->n", parts, kinds, taps, terms)

    @torch.no_grad()
    def compare(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Comparison:
        """Return the distances with their maps; see `forward`."""
        found = self.differences(a, b, mask)
        size, weights = (b.shape[2], b.shape[3]), self._kind_weights(len(found))
        maps = [
            share * spread(self._local(seen), views, size)
            for share, seen, views in zip(weights, found, self._views(b), strict=True)
        ]
        distance = self.weighed(self.pooled(found, self.recipe.power))
        return Comparison(distance=distance, map=torch.stack(maps).sum(dim=0))

    @torch.no_grad()
    def released(self, a: Tensor, b: Tensor) -> Tensor:
        """Return (n,): `paper` mode's formula, to compare with, on windows (n, 1, 224, 224).

        As `metrics.ulpips_paper` but many at once and in fp32; `a` may be one window.
        """
        everywhere = b.new_ones(len(b), len(self.near))
        n_near = self.valid.sum(dim=1)
        total = b.new_zeros(len(b))
        taps = [self._taps(each[:, None], None) for each in (a, b)]
        for tap, other in zip(*taps, strict=True):
            structure = 2.0 * self._structure(tap, other, everywhere) / n_near
            grams = [each.transpose(1, 2) @ each / each[0].numel() for each in (tap, other)]
            total = total + structure.mean(dim=1) + (grams[0] - grams[1]).abs().mean(dim=(1, 2))
        return total / len(taps[0])

    def _views(self, pictures: Tensor) -> list[tuple[View, ...]]:
        """Return the kinds of views that pictures (n, 1, height, width) are looked at through."""
        size = (pictures.shape[2], pictures.shape[3])
        kinds = [kind for kind in (native_views(size), whole_views(size)) if kind]
        if len(kinds) == 1:
            return kinds
        return [kind for kind, weight in zip(kinds, self._kind_weights(2), strict=True) if weight]

    def _kind_weights(self, n_kinds: int) -> tuple[float, ...]:
        return (1.0 - self.recipe.whole, self.recipe.whole) if n_kinds > 1 else (1.0,)

    def _tap_weights(self, like: Tensor) -> Tensor:
        n_taps = len(self.encoder.profile.taps)
        weights = like.new_tensor(self.recipe.taps or (1.0,) * n_taps)
        return weights / weights.sum()

    def _check(self, a: Tensor, b: Tensor, mask: Tensor | None) -> None:
        patch = self.encoder.profile.patch
        alike = a.ndim == 4 and a.shape[1:] == b.shape[1:] and len(a) in (1, len(b))
        if mask is not None and len(a) < len(b) and len(mask) > 1:
            raise ValueError("One picture was given to compare all with, but several masks.")
        if not alike or b.shape[1] != 1 or min(b.shape[2:]) < patch:
            raise ValueError(
                f"Expected two batches (n, 1, height, width) of at least {patch} px a side, got "
                f"{tuple(a.shape)} and {tuple(b.shape)}."
            )

    def _seen(self, a: Tensor, b: Tensor, mask: Tensor, views: tuple[View, ...]) -> Differences:
        shares = self._token_weights(mask, views)
        weights = shares.flatten(0, 1)
        taps, others = (self._taps(look(each, views), weights) for each in (a, b))
        layers = [self._layer(*pair, weights) for pair in zip(taps, others, strict=True)]
        structure, token, gram = (
            torch.stack([each.reshape(*shares.shape[:2], *each.shape[1:]) for each in layer], 1)
            for layer in zip(*layers, strict=True)
        )
        return Differences(structure=structure, token=token, gram=gram, shares=shares)

    def _local(self, seen: Differences) -> Tensor:
        """Return (n, view, row, column), weighed, without the Gram term; 0 if it doesn't count."""
        near = self.recipe.structure * seen.structure + self.recipe.token * seen.token
        weighed = torch.einsum("ntvi,t->nvi", near, self._tap_weights(near))
        grid = self.encoder.profile.grid
        return (weighed * (seen.shares > 0)).reshape(*weighed.shape[:2], grid, grid)

    def _token_weights(self, mask: Tensor, views: tuple[View, ...]) -> Tensor:
        """Return (n, view, token) shares in the mask; of a picture whose mask holds none, all."""
        patch = self.encoder.profile.patch
        shares, everywhere = (
            token_shares(each, views, patch) for each in (mask, torch.ones_like(mask))
        )
        kept = torch.where(shares < LEAST_MASK, 0.0, shares)
        return torch.where(kept.sum(dim=(1, 2), keepdim=True) == 0, everywhere, kept)

    def _taps(self, windows: Tensor, weights: Tensor | None) -> list[Tensor]:
        """Return the tokens of each tap as directions: (n x view, token, channel), length 1.

        Args:
            windows: (n, view, 1, 224, 224).
            weights: (at least n x view, token) by which they are centred, if the recipe says so.
        """
        pictures = normalised(windows.flatten(0, 1), self.encoder.profile.channels)
        chunks = [self.encoder.tokens(chunk) for chunk in torch.split(pictures, AT_ONCE)]
        taps = [torch.cat(tap) for tap in zip(*chunks, strict=True)]
        if self.recipe.centred and weights is not None:
            shares = (weights / weights.sum(dim=1, keepdim=True).clamp_min(TINY))[:, :, None]
            taps = [tap - (tap * shares[: len(tap)]).sum(dim=1, keepdim=True) for tap in taps]
        return [functional.normalize(tap, dim=2) for tap in taps]

    def _layer(self, g: Tensor, h: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return structure and token differences (n, token) and that of the Gram matrices (n,)."""
        many = _as_many(g, len(h))
        # Of unit vectors (1 - <g, h>) / 2 is |g - h|^2 / 4, which is exactly 0 for equal ones.
        token = (many - h).square().sum(dim=2) / 4.0
        if self.recipe.structure == 0.0:
            structure = torch.zeros_like(token)
        elif torch.is_grad_enabled() and (g.requires_grad or h.requires_grad):
            # A neighbourhood's affinities are 49 x 49 numbers a token: made anew, not kept.
            structure = checkpoint(self._structure, g, h, weights, use_reentrant=False)
        else:
            structure = self._structure(g, h, weights)
        return structure, token, _gram_distance(many, h, weights)

    def _structure(self, g: Tensor, h: Tensor, weights: Tensor) -> Tensor:
        """Return (n, token): mean total variation between the affinities around each token."""
        chunks = (torch.split(each, AT_ONCE) for each in (_as_many(g, len(h)), h, weights))
        return torch.cat([self._chunk(*chunk) for chunk in zip(*chunks, strict=True)])

    def _chunk(self, g: Tensor, h: Tensor, weights: Tensor) -> Tensor:
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


def _pooled(seen: Differences, power: float) -> Tensor:
    """Return (n, tap, term): power means over tokens; of Gram matrices the plain mean."""
    areas = seen.shares.sum(dim=2)[:, None]
    gram = (seen.gram * areas).sum(dim=2) / areas.sum(dim=2)
    means = [_mean(each, seen.shares[:, None], power) for each in (seen.structure, seen.token)]
    return torch.stack([means[0], gram, means[1]], dim=2)


def _mean(local: Tensor, shares: Tensor, power: float) -> Tensor:
    """Return the power mean (n, tap) of what differs at tokens (n, tap, view, token)."""
    mean = (local**power * shares).sum(dim=(2, 3)) / shares.sum(dim=(2, 3))
    if power == 1.0:
        return mean
    # A root has no slope at 0, where training must survive a perfect restoration.
    pooled: Tensor = (mean + FAINT) ** (1.0 / power) - FAINT ** (1.0 / power)
    return pooled


def _neighbour_table(n_tokens: int) -> tuple[Tensor, Tensor]:
    """Return (token, 49) numbers of the tokens around each, and which of them are in the grid."""
    around = neighbourhoods(n_tokens)
    widest = max(len(near) for near in around)
    filled = [near + [near[0]] * (widest - len(near)) for near in around]
    valid = [[i < len(near) for i in range(widest)] for near in around]
    return torch.tensor(filled), torch.tensor(valid)


def _as_many(x: Tensor, n: int) -> Tensor:
    """Return the windows of one picture (view, ...) again for each of the others: (n, ...)."""
    return x if len(x) == n else x.repeat(n // len(x), *[1] * (x.ndim - 1))


def _gram_distance(g: Tensor, h: Tensor, weights: Tensor) -> Tensor:
    """Return (n,): the Frobenius distance of the weighted Gram matrices, at most 1."""
    shares = (weights / weights.sum(dim=1, keepdim=True).clamp_min(TINY))[:, :, None]
    grams = [x.transpose(1, 2) @ (shares * x) for x in (g, h)]
    apart: Tensor = torch.linalg.vector_norm(grams[0] - grams[1], dim=(1, 2))
    return apart / math.sqrt(2.0)
