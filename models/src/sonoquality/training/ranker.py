"""Teach a small network to rank windows: every known fault beyond clean, higher levels further.

Two costs, as in the encoder's training: any window with a fault ranks beyond any clean one of the
batch (a smooth 1 - AUROC), and the rungs of one ladder rank in order by a margin that grows with
what lies between them.
"""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from sonoquality.arrays import Floats
from sonoquality.metrics.ranker import Ranker
from sonoquality.training.ladder_features import LadderFeatures

#: Quantiles of clean windows that stand 3.29 standard deviations apart where they are normal.
QUANTILES, APART = (0.05, 0.95), 3.29
LEAST_SPREAD = 1e-3
SOME = 50  #: steps between reports
Told = Callable[[int, int], None]
"""Called with steps done, and steps in all."""
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class RankerConfig(BaseModel):
    """How a ranking is learned; what ships was chosen on validation ladders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_hidden: Count = 128
    n_passes: Count = 40
    """Over all ladders."""
    n_ladders: Count = 128
    """Per step."""
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    ladder_weight: Annotated[float, Field(ge=0)] = 0.5
    """Of the order within ladders beside that against all clean windows."""
    margin: Positive = 4.0
    """By which a whole fault ranks beyond clean on its ladder."""
    gain_jitter_db: Annotated[float, Field(ge=0)] = 3.0
    """Gain within which all rungs of a ladder are shifted alike."""
    seed: int = 2026


def read_config(path: Path) -> RankerConfig:
    """Read a configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return RankerConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def train(
    features: LadderFeatures,
    config: RankerConfig,
    *,
    without: Sequence[int] = (),
    progress: Told = lambda _done, _total: None,
) -> Ranker:
    """Learn a ranking; the same features and configuration give the same numbers on one machine.

    Args:
        features: ladders to learn from.
        config: how.
        without: images (places among the rows) to leave out.
        progress: called now and then.
    """
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    kept = ~np.isin(features.image, without)
    values, bad = features.values[kept], torch.from_numpy(features.bad[kept])
    centre, spread = _scale(values[:, 0].astype(np.float64))
    standard = torch.from_numpy(np.arcsinh((values - centre) / spread).astype(np.float32))
    inner = nn.Linear(standard.shape[2], config.n_hidden)
    outer = nn.Linear(config.n_hidden, 1, bias=False)
    _learn(nn.Sequential(inner, nn.ReLU(), outer), standard, bad, config, progress)
    return Ranker(
        centre=centre,
        spread=spread,
        inner=_numbers(inner.weight).T.copy(),
        inner_bias=_numbers(inner.bias),
        outer=_numbers(outer.weight)[0],
    )


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().numpy().astype(np.float64)


def _scale(clean: Floats) -> tuple[Floats, Floats]:
    """Return the median and the robust deviation of each feature over clean windows (n, D)."""
    low, high = np.quantile(clean, QUANTILES, axis=0)
    return np.median(clean, axis=0).astype(np.float64), np.maximum(
        (high - low) / APART, LEAST_SPREAD
    ).astype(np.float64)


def _learn(
    network: nn.Module, values: Tensor, bad: Tensor, config: RankerConfig, progress: Told
) -> None:
    n_steps = max(1, config.n_passes * len(values) // config.n_ladders)
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=n_steps + 1
    )
    rng = np.random.default_rng(config.seed)
    for step in range(n_steps):
        drawn = torch.from_numpy(rng.integers(0, len(values), config.n_ladders))
        optimiser.zero_grad()
        cost(network(values[drawn])[..., 0], bad[drawn], config).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % SOME == SOME - 1 or step == n_steps - 1:
            progress(step + 1, n_steps)


def cost(rank: Tensor, bad: Tensor, config: RankerConfig) -> Tensor:
    """Return what is wrong with the ranks (n, 3) of windows as bad as `bad` (n, 3)."""
    gap = rank[:, 1:].reshape(-1, 1) - rank[:, 0]
    shows = (5 * bad[:, 1:].reshape(-1)).clamp(max=1)
    beyond = (functional.softplus(-gap).mean(dim=1) * shows).sum() / shows.sum().clamp(min=1)
    step = bad[:, 1:] - bad[:, :-1]
    counts = (step > 0.02).float()
    wrong = functional.softplus(config.margin * step - (rank[:, 1:] - rank[:, :-1])) * counts
    return beyond + config.ladder_weight * wrong.sum() / counts.sum().clamp(min=1)
