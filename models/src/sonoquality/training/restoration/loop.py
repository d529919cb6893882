"""The loop of the example: one network after another, each resumable, then nothing but files.

`OUT/<loss>/restorer.pt` holds the weights, `state.pt` what a resume needs, curves.csv and
curves.png the course; `OUT/record.json` what went in.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from sonoquality.networks.identity import sha256_of
from sonoquality.networks.restorer import Restorer, reduced
from sonoquality.networks.ulpips import Ulpips
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.encoder.curves import Curves
from sonoquality.training.restoration import crops
from sonoquality.training.restoration.config import LossMix, RestorationConfig
from sonoquality.training.restoration.losses import losses_of

RECORD_FILE, STATE_FILE, WEIGHTS_FILE = "record.json", "state.pt", "restorer.pt"
Progress = Callable[[str, int, int], None]


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
    out.mkdir(parents=True, exist_ok=True)
    _begin(out, config, encoder, [source.name for source in sources])
    distance = Ulpips(encoder).to(_device())
    for name, mix in config.losses.items():
        _Run(config, mix, distance, out / name).go_on(sources, name, progress)
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
        weights = torch.load(out / name / WEIGHTS_FILE, map_location="cpu", weights_only=True)
        restorer.load_state_dict(weights)
        restorers[name] = restorer.eval()
    return restorers


def read_run(out: Path) -> RestorationConfig:
    """Return how the networks of a run were trained.

    Raises:
        FileNotFoundError: there is no such run.
    """
    return RestorationConfig.model_validate(_read_record(out)["config"])


class _Run:
    """One network at a step."""

    def __init__(
        self, config: RestorationConfig, mix: LossMix, distance: Ulpips, out: Path
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.mix, self.distance, self.out, self.step = config, mix, distance, out, 0
        self.restorer = Restorer(config.factor, config.width, config.n_blocks).to(_device())
        self.optimiser = torch.optim.Adam(self.restorer.parameters(), lr=config.learning_rate)
        out.mkdir(exist_ok=True)
        self._resume()
        self.curves = Curves(out, self.step)

    def go_on(self, sources: Sequence[crops.Source], name: str, progress: Progress) -> None:
        """Take the steps that are left."""
        while self.step < self.config.n_steps:
            self.curves.add(self.step + 1, self._learn(sources))
            self.step += 1
            progress(f"learning by {name}", self.step, self.config.n_steps)
            if self.step % self.config.checkpoint_steps == 0 or self.step == self.config.n_steps:
                self._keep()

    def _learn(self, sources: Sequence[crops.Source]) -> dict[str, float]:
        found = crops.batch(sources, self.config.seed, self.step, self.config.n_crops)
        truth = torch.from_numpy(found).to(_device())
        for group in self.optimiser.param_groups:
            fall = 0.5 * (1 + math.cos(math.pi * self.step / self.config.n_steps))
            group["lr"] = self.config.learning_rate * (0.01 + 0.99 * fall)
        restored = self.restorer(reduced(truth, self.config.factor))
        terms = losses_of(restored, truth, self.mix, self.distance)
        total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad()
        torch.autograd.backward(total)
        self.optimiser.step()
        values = {name: float(term.detach()) for name, term in terms.items()}
        return {"total": sum(values.values()), **values}

    def _keep(self) -> None:
        """Write weights and curves; the state last, since it is what a resume trusts."""
        self.curves.write()
        state = {
            "step": self.step,
            "restorer": self.restorer.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        for name, content in ((WEIGHTS_FILE, state["restorer"]), (STATE_FILE, state)):
            unfinished = self.out / f"{name}.part"
            torch.save(content, unfinished)
            unfinished.replace(self.out / name)

    def _resume(self) -> None:
        if not (self.out / STATE_FILE).exists():
            return
        state = torch.load(self.out / STATE_FILE, map_location="cpu", weights_only=True)
        self.step = int(state["step"])
        self.restorer.load_state_dict(state["restorer"])
        self.optimiser.load_state_dict(state["optimiser"])


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _begin(
    out: Path, config: RestorationConfig, encoder: VisionTransformer, names: list[str]
) -> None:
    entered = {
        "config": config.model_dump(mode="json"),
        "encoder": encoder.profile.name,
        "encoder_sha256": sha256_of(encoder),
        "pictures": names,
    }
    if (out / RECORD_FILE).exists() and _read_record(out) != entered:
        raise ValueError(f"{out} holds a run of another configuration or images; name another.")
    (out / RECORD_FILE).write_text(json.dumps(entered, indent=2) + "\n", encoding="utf-8")


def _read_record(out: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((out / RECORD_FILE).read_text(encoding="utf-8"))
    return record
