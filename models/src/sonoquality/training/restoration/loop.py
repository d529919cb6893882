"""What a restorer learns in a step; `OUT/<loss>` is a `resumable` run's folder.

`OUT/record.json` says what went into all of them.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from sonoquality.networks.identity import sha256_of
from sonoquality.networks.restorer import Restorer, reduced
from sonoquality.networks.ulpips import Ulpips
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.restoration import crops
from sonoquality.training.restoration.config import LossMix, RestorationConfig
from sonoquality.training.restoration.losses import losses_of
from sonoquality.training.resumable import Progress, Resumable, begin, read_record, weights_file

NAME = "restorer"


def train(
    config: RestorationConfig,
    encoder: VisionTransformer,
    data: Path | None,
    out: Path,
    progress: Progress,
) -> Path:
    """Train, or go on training, a restorer for each loss; returns the folder of the run.

    Each step's crops depend on its number alone, so that an interrupted run ends as another.

    Raises:
        ValueError: the folder holds a run of another configuration, encoder or collection.
    """
    torch.set_num_threads(config.n_threads)
    sources = crops.training_sources(data)
    entered = {
        "config": config.model_dump(mode="json"),
        "encoder": encoder.profile.name,
        "encoder_sha256": sha256_of(encoder),
        "pictures": [source.name for source in sources],
    }
    begin(out, entered)
    distance = Ulpips(encoder).to(_device())
    for name, mix in config.losses.items():
        learner = _Learner(config, mix, distance, sources)
        run = Resumable(NAME, learner.restorer, learner.optimiser, out / name)
        run.go_on(
            learner.learn,
            n_steps=config.n_steps,
            checkpoint_steps=config.checkpoint_steps,
            tell=partial(progress, f"learning by {name}"),
        )
    return out


def load_restorers(out: Path) -> dict[str, Restorer]:
    """Return the trained networks of a run by the name of their loss.

    Raises:
        FileNotFoundError: the run was not finished.
    """
    config = read_run(out)
    restorers = {}
    for name in config.losses:
        restorer = Restorer(config.factor, config.width, config.n_blocks)
        weights = torch.load(out / name / weights_file(NAME), map_location="cpu", weights_only=True)
        restorer.load_state_dict(weights)
        restorers[name] = restorer.eval()
    return restorers


def read_run(out: Path) -> RestorationConfig:
    """Return how the networks of a run were trained.

    Raises:
        FileNotFoundError: there is no such run.
    """
    return RestorationConfig.model_validate(read_record(out)["config"])


class _Learner:
    """One network, the loss it learns by and what it learns from."""

    def __init__(
        self,
        config: RestorationConfig,
        mix: LossMix,
        distance: Ulpips,
        sources: Sequence[crops.Source],
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self._mix, self._distance, self._sources = config, mix, distance, sources
        self.restorer = Restorer(config.factor, config.width, config.n_blocks).to(_device())
        self.optimiser = torch.optim.Adam(self.restorer.parameters(), lr=config.learning_rate)

    def learn(self, step: int) -> dict[str, float]:
        """Take one step; returns its losses."""
        found = crops.batch(self._sources, self.config.seed, step, self.config.n_crops)
        truth = torch.from_numpy(found).to(_device())
        for group in self.optimiser.param_groups:
            fall = 0.5 * (1 + math.cos(math.pi * step / self.config.n_steps))
            group["lr"] = self.config.learning_rate * (0.01 + 0.99 * fall)
        restored = self.restorer(reduced(truth, self.config.factor))
        terms = losses_of(restored, truth, self._mix, self._distance)
        total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad()
        torch.autograd.backward(total)
        self.optimiser.step()
        values = {name: float(term.detach()) for name, term in terms.items()}
        return {"total": sum(values.values()), **values}


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
