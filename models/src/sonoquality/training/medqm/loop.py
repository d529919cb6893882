"""MedQM-I learns: a `resumable` run over frozen features; its moving average is what is kept."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sonoquality.networks.medqm import Medqm, Said
from sonoquality.training.medqm import losses
from sonoquality.training.medqm.config import MedqmConfig
from sonoquality.training.medqm.examples import Batch, Example, all_copies, drawn
from sonoquality.training.medqm.ranks import Ranks
from sonoquality.training.medqm.smoothing import smoothed
from sonoquality.training.medqm.unharmed import with_clean_labels
from sonoquality.training.resumable import (
    RECORD_FILE,
    STATE_FILE,
    Progress,
    Resumable,
    begin,
    read_record,
)

NAME = "medqm"
LEAST_RATE, RISE = 0.01, 0.05  #: of the learning rate at the end; share of steps that it rises


class Averaged(nn.Module):
    """A network and the moving average of its weights, which are kept and resumed together."""

    def __init__(self, network: Medqm, mean: Medqm) -> None:
        super().__init__()
        self.network, self.mean = network, mean
        self.mean.load_state_dict(network.state_dict())

    @torch.no_grad()
    def follow(self, kept: float) -> None:
        """Move the average a little towards the network."""
        own = dict(self.network.state_dict())
        for name, value in self.mean.state_dict().items():
            if value.is_floating_point():
                value.lerp_(own[name], 1 - kept)
            else:
                value.copy_(own[name])


def train(
    config: MedqmConfig, examples: Sequence[Example], sentences: Tensor, out: Path, tell: Progress
) -> Path:
    """Train, or go on training, by the labels as they are; returns the folder.

    Raises:
        ValueError: the folder holds a run of another configuration or other images.
    """
    torch.set_num_threads(config.n_threads)
    entered: dict[str, object] = {
        "config": config.model_dump(mode="json"),
        "images": [each.name for each in examples],
        "labelled": sum(each.labels is not None for each in examples),
    }
    if (out / RECORD_FILE).exists():
        kept = read_record(out)["config"]
        if MedqmConfig.model_validate(kept) == config:
            entered["config"] = kept  # of before some keys were there
    begin(out, entered)
    learner = _Learner(config, examples, sentences)
    run = Resumable(NAME, learner.averaged, learner.optimiser, out)
    run.go_on(
        learner.learn,
        n_steps=config.n_steps,
        checkpoint_steps=config.checkpoint_steps,
        tell=lambda done, total: tell("learning MedQM-I", done, total),
    )
    return out


def load(out: Path, sentences: Tensor) -> Medqm:
    """Return the trained network's moving average.

    Raises:
        FileNotFoundError: the run was not begun.
        ValueError: it was not finished.
    """
    config = MedqmConfig.model_validate(read_record(out)["config"])
    state = torch.load(out / STATE_FILE, map_location="cpu", weights_only=True)
    if int(state["step"]) < config.n_steps:
        raise ValueError(f"{out} stopped at step {state['step']}; run its training again.")
    averaged = Averaged(Medqm(config.shape, sentences), Medqm(config.shape, sentences))
    averaged.load_state_dict(state[NAME])
    return averaged.mean.eval()


@torch.inference_mode()
def judged(network: Medqm, example: Example, *, told: bool = False) -> Said:
    """Judge every copy of an image by all its windows."""
    return say(network, all_copies(example, told=told))


def say(network: Medqm, batch: Batch) -> Said:
    """Judge a batch."""
    said: Said = network(batch.cells, batch.counts, batch.textures, batch.organs, batch.views)
    return said


class _Learner:
    def __init__(self, config: MedqmConfig, examples: Sequence[Example], sentences: Tensor) -> None:
        torch.manual_seed(config.seed)
        self._config = config
        ranks = Ranks.among(examples) if config.ranks else None
        known = with_clean_labels(examples)
        self._examples = smoothed(ranks.told(known) if ranks else known, config.smoothing)
        scale = ranks.scale if ranks else None
        self.averaged = Averaged(
            Medqm(config.shape, sentences, scale).train(), Medqm(config.shape, sentences, scale)
        )
        self.optimiser = torch.optim.AdamW(
            self.averaged.network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )

    def learn(self, step: int) -> dict[str, float]:
        """Take one step; returns its losses."""
        config = self._config
        torch.manual_seed(hash((config.seed, step)) % 2**31)
        rng = np.random.default_rng([config.seed, step])
        size = config.n_images, config.n_copies, config.n_windows
        batch = drawn(self._examples, rng, size, config.unknown_organ)
        hidden = torch.rand(batch.counts.shape) < config.dropout
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.halves):
            said = self.averaged.network(
                batch.cells,
                batch.counts.masked_fill(hidden, 0),
                batch.textures,
                batch.organs,
                batch.views,
            )
        parts = _parts(_whole(said), batch, by_ranks=config.ranks > 0)
        loss = torch.stack([getattr(config, name) * part for name, part in parts.items()]).sum()
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(step / config.n_steps)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.averaged.network.parameters(), 1.0)
        self.optimiser.step()
        self.averaged.follow(min(config.average, (1 + step) / (10 + step)))
        return {name: float(part.detach()) for name, part in parts.items()}


def _whole(said: Said) -> Said:
    """Return what was said in single precision, in which losses are reckoned."""
    return Said(
        quality=said.quality.float(),
        place=said.place.float(),
        logvar=said.logvar.float(),
        severities=said.severities.float(),
        maps=said.maps.float(),
        load=said.load.float(),
    )


def _parts(said: Said, batch: Batch, *, by_ranks: bool) -> dict[str, Tensor]:
    """Return what is lost, by the name that its weight has in the configuration."""
    known = ~batch.labels.isnan()
    own, labels, images = said.quality[known], batch.labels[known], batch.images[known]
    nothing = said.place.sum() * 0
    enough = len(own) > 1
    placed, wanted = said.place[known], batch.ranks[known] if by_ranks else labels
    order = {"ranks": losses.misplaced(placed, wanted) if enough else nothing} if by_ranks else {}
    return {
        "quality": losses.doubted(own, said.logvar[known], labels) if enough else nothing,
        **order,
        "ranking": losses.ranking(placed, wanted, images) if enough else nothing,
        "correlation": losses.uncorrelated(own, labels) if enough else nothing,
        "attributes": losses.attributes(said.severities, batch.levels),
        "balance": said.load,
    }


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 10) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)
