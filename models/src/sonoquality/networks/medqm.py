"""MedQM-I: from what an encoder says of an image to how well it will serve, and why not.

Textual priors (sentences on organ, view and ten faults, embedded when the model is made) look at
the image; learned queries look at both; each query gives a score and a weight through a gated
mixture of experts. The paper is public as an abstract; the design is that of SCIENCE 6d, over
frozen tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_TAPS, TAP_WIDTH, N_TEXTURES = 4, 128, 38
TOP = 2  #: experts that answer for one image
GATE_NOISE = 0.1
SEVEREST = 4.0
LOGVAR = (-4.0, 2.0)  #: bounds of the logarithm of the variance
N_KNOTS = 33  #: of the scale from places to qualities


@dataclass(frozen=True, slots=True, kw_only=True)
class MedqmShape:
    """Sizes of a MedQM-I, and which of its parts it has: ablations leave one out."""

    width: int = 128
    heads: int = 4
    n_queries: int = 16
    n_blocks: int = 2
    n_experts: int = 4
    n_organs: int = 12
    n_views: int = 4
    n_attributes: int = 10
    priors: bool = True  #: sentences begin the rows; without, numbers that are learned
    queries: bool = True  #: without, the mean of all tokens is the one query
    experts: bool = True  #: without, one shared expert answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What MedQM-I says of images."""

    quality: Tensor  #: (n,), 0 to 1: what the scale says at the place
    place: Tensor  #: (n,), 0 to 1: where among the labels that it learned from
    logvar: Tensor  #: (n,); how unsure it is of the quality
    severities: Tensor  #: (n, attribute), 0 to 4
    maps: Tensor  #: (n, attribute, token): where each attribute looks; sums to 1
    load: Tensor  #: (): 1 if every expert answers as often, more else


class Medqm(nn.Module):
    """The network.

    Args:
        shape: sizes and parts.
        sentences: (row, 384): embedded sentences of organs, views and attributes, in this order.
        scale: (`N_KNOTS`,), the quality at evenly spaced places; none: a place is the quality.
    """

    scale: Tensor

    def __init__(self, shape: MedqmShape, sentences: Tensor, scale: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("scale", torch.linspace(0, 1, N_KNOTS) if scale is None else scale)
        self.shape = shape
        width = shape.width
        n_rows = shape.n_organs + shape.n_views + shape.n_attributes
        if len(sentences) != n_rows:
            raise ValueError(f"{len(sentences)} sentences for {n_rows} rows of priors.")
        self.tap_norms = nn.ModuleList(nn.LayerNorm(TAP_WIDTH) for _ in range(N_TAPS))
        self.cell_in = nn.Linear(N_TAPS * TAP_WIDTH, width)
        self.texture_norm = nn.BatchNorm1d(N_TEXTURES)
        self.texture_in = nn.Linear(N_TEXTURES, width)
        if shape.priors:
            self.register_buffer("sentences", sentences.clone())
            self.prior_in = nn.Linear(sentences.shape[1], width)
        else:
            self.rows = nn.Parameter(0.02 * torch.randn(n_rows, width))
        self.prior_look = Look(width, shape.heads)
        self.queries = nn.Parameter(0.02 * torch.randn(shape.n_queries, width))
        self.blocks = nn.ModuleList(QueryBlock(width, shape.heads) for _ in range(shape.n_blocks))
        self.last = nn.LayerNorm(width)
        self.shared = Expert(width)
        self.gate = nn.Linear(2 * width, shape.n_experts)
        self.experts = nn.ModuleList(Expert(width) for _ in range(shape.n_experts))
        self.alpha = nn.Parameter(torch.zeros(()))
        self.variance = nn.Linear(width, 1)
        self.severity = nn.Linear(width, 1)
        self.severity_bias = nn.Parameter(torch.zeros(shape.n_attributes))

    def forward(
        self, cells: Tensor, counts: Tensor, textures: Tensor, organs: Tensor, views: Tensor
    ) -> Said:
        """Judge images.

        Args:
            cells: (n, window, 49, tap * width); windows that an image lacks count 0.
            counts: (n, window, 49), share of each cell in the scan mask.
            textures: (n, window, 38), the baseline's statistics of each window.
            organs: (n,) rows of organs.
            views: (n,) rows of views.
        """
        tokens, counted = self._tokens(cells, counts, textures)
        priors = self._priors(organs, views)
        looked, maps = self.prior_look(priors, tokens, counted)
        rows = priors + looked
        queries = self._queries(tokens, counted)
        for block in self.blocks:
            queries = block(queries, rows, tokens, counted)
        queries = self.last(queries)
        logit, load = self._answer(queries, rows[:, 0])
        own = rows[:, 2:]
        raised = self.severity(own).squeeze(-1) + self.severity_bias
        n_attributes = self.shape.n_attributes
        place = torch.sigmoid(logit.float())
        return Said(
            quality=at_places(self.scale, place),
            place=place,
            logvar=self.variance(queries.mean(dim=1)).squeeze(-1).clamp(*LOGVAR),
            severities=SEVEREST * torch.sigmoid(raised),
            maps=maps[:, -n_attributes:],
            load=load,
        )

    def _tokens(self, cells: Tensor, counts: Tensor, textures: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n, token, width) and whether each counts (n, token): cells, then windows."""
        taps = torch.split(cells, TAP_WIDTH, dim=-1)
        normed = [norm(tap) for norm, tap in zip(self.tap_norms, taps, strict=True)]
        seen = self.cell_in(torch.cat(normed, dim=-1)).flatten(1, 2)
        flat = self.texture_norm(textures.flatten(0, 1)).reshape(textures.shape)
        kept = counts.flatten(1) > 0
        window = counts.sum(dim=2) > 0
        return torch.cat([seen, self.texture_in(flat)], dim=1), torch.cat([kept, window], dim=1)

    def _priors(self, organs: Tensor, views: Tensor) -> Tensor:
        """Return the rows (n, 2 + attribute, width): organ, view, attributes."""
        table = self.prior_in(self.sentences) if self.shape.priors else self.rows
        first = self.shape.n_organs
        faults = table[first + self.shape.n_views :].expand(len(organs), -1, -1)
        return torch.cat([table[organs][:, None], table[first + views][:, None], faults], dim=1)

    def _queries(self, tokens: Tensor, counted: Tensor) -> Tensor:
        if self.shape.queries:
            return self.queries.expand(len(tokens), -1, -1)
        weights = counted.to(tokens.dtype)[..., None]
        return (tokens * weights).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)

    def _answer(self, queries: Tensor, organ: Tensor) -> tuple[Tensor, Tensor]:
        logit = self.shared(queries)
        if not self.shape.experts:
            return logit, logit.new_ones(())
        asked = self.gate(torch.cat([queries.mean(dim=1), organ], dim=1))
        if self.training:
            asked = asked + GATE_NOISE * torch.randn_like(asked)
        gates = functional.softmax(asked, dim=1)
        least = gates.topk(TOP, dim=1).values[:, -1:]
        chosen = torch.where(gates >= least, gates, torch.zeros_like(gates))
        share = chosen / chosen.sum(dim=1, keepdim=True)
        said = torch.stack([expert(queries) for expert in self.experts], dim=1)
        often = (gates >= least).float().mean(dim=0) / TOP
        load = len(self.experts) * (often * gates.mean(dim=0)).sum()
        return logit + self.alpha * (share * said).sum(dim=1), load


class Look(nn.Module):
    """Rows look at tokens; the mean of the heads' weights says where."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_rows, self.norm_tokens = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(
        self, rows: Tensor, tokens: Tensor, counted: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return (n, row, width) and the weights (n, row, token)."""
        seen = self.norm_tokens(tokens)
        query = self._split(self.query(self.norm_rows(rows)))
        key, value = self._split(self.key(seen)), self._split(self.value(seen))
        close = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5)
        if counted is not None:
            close = close.masked_fill(~counted[:, None, None], -1e4)
        weights = close.softmax(dim=-1)
        mixed = (weights @ value).transpose(1, 2).flatten(2)
        return self.out(mixed), weights.mean(dim=1)

    def _split(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        return x.reshape(n, tokens, self.heads, width // self.heads).transpose(1, 2)


class QueryBlock(nn.Module):
    """Queries look at one another and the priors, then at the image, then think by themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among, self.across = Look(width, heads), Look(width, heads)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, queries: Tensor, rows: Tensor, tokens: Tensor, counted: Tensor) -> Tensor:
        """Return the queries (n, query, width)."""
        queries = queries + self.among(queries, torch.cat([queries, rows], dim=1), None)[0]
        queries = queries + self.across(queries, tokens, counted)[0]
        out: Tensor = queries + self.think(queries)
        return out


class Expert(nn.Module):
    """Scores of queries and their weights, to one number an image (as MANIQA weighs patches)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width // 4), nn.Linear(width // 4, 2)

    def forward(self, queries: Tensor) -> Tensor:
        """Return (n,)."""
        score, weight = self.outer(functional.gelu(self.inner(queries))).unbind(dim=-1)
        share = torch.sigmoid(weight)
        out: Tensor = (score * share).sum(dim=1) / share.sum(dim=1).clamp_min(1e-6)
        return out


def at_places(scale: Tensor, places: Tensor) -> Tensor:
    """Return what a scale says at places (n,) from 0 to 1, straight between its knots."""
    steps = places * (len(scale) - 1)
    left = steps.detach().floor().clamp(max=len(scale) - 2).long()
    return scale[left] + (steps - left) * (scale[left + 1] - scale[left])


def n_weights(network: nn.Module) -> int:
    """Return how many numbers a network learned."""
    return sum(each.numel() for each in network.parameters() if each.requires_grad)
