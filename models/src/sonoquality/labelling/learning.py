"""How a diagnostician learns: on clean images of all folds but one, in `resumable` folders.

Each task is learned by a committee of networks that differ by their seeds.
"""

import math
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sonoquality.labelling.cases import Case
from sonoquality.labelling.config import DiagnosticianConfig
from sonoquality.labelling.folds import HELD_BACK
from sonoquality.labelling.tasks import Task
from sonoquality.training.resumable import (
    RECORD_FILE,
    STATE_FILE,
    Progress,
    Resumable,
    begin,
    read_record,
)
from sonoquality.training.segmentation.pictures import varied

NAME = "diagnostician"
LEAST_RATE, RISE = 0.01, 0.05  #: of the learning rate at the end; share of steps that it rises


def folder_of(run: Path, task: Task, fold: int, member: int = 0) -> Path:
    """Return the folder of a network of the committee that did not learn from a fold."""
    name = "all" if fold == HELD_BACK else f"without-{fold}"
    return run / task.name / (f"{name}-{member + 1}" if member else name)


def size_of(run: Path, task: Task) -> int:
    """Return how many networks a committee has.

    A member that learns from all training images begins last, so one that is not there yet for
    every fold does not count.
    """
    return next(n for n in count() if not folder_of(run, task, HELD_BACK, n).exists())


def learned_from(task: Task, cases: tuple[Case, ...], fold: int) -> list[Case]:
    """Return the training images of the other folds; all of them for `HELD_BACK`."""
    return [case for case in cases if case.fold not in (HELD_BACK, fold) and task.has(case)]


def train(
    config: DiagnosticianConfig,
    task: Task,
    cases: tuple[Case, ...],
    fold: int,
    *,
    run: Path,
    progress: Progress,
    member: int = 0,
) -> Path:
    """Train, or go on training, a network of a task for a fold; returns its folder.

    Raises:
        ValueError: the folder holds a run of another configuration or collection.
    """
    torch.set_num_threads(config.n_threads)
    config = config.of_member(member)
    chosen, out = learned_from(task, cases, fold), folder_of(run, task, fold, member)
    entered = {
        "config": config.model_dump(mode="json", exclude={"n_members"}),
        "task": task.name,
        "fold": fold,
        "pictures": [case.row.sha256 for case in chosen],
    }
    begin(out, entered)
    if _n_done(out) < config.n_steps:
        learner = _Learner(config, task, chosen)
        Resumable(NAME, learner.network, learner.optimiser, out).go_on(
            learner.learn,
            n_steps=config.n_steps,
            checkpoint_steps=config.checkpoint_steps,
            tell=partial(progress, f"{task.name}, {out.name}"),
        )
    return out


def load(out: Path, task: Task) -> nn.Module:
    """Return a trained network.

    Raises:
        FileNotFoundError: the run was not begun.
        ValueError: it was not finished.
    """
    config = DiagnosticianConfig.model_validate(read_record(out)["config"])
    if _n_done(out) < config.n_steps:
        raise ValueError(f"{out} is not finished; run its training again.")
    state = torch.load(out / STATE_FILE, map_location="cpu", weights_only=True)
    network = task.network()
    network.load_state_dict(state[NAME])
    return network.eval()


def _n_done(out: Path) -> int:
    if not ((out / STATE_FILE).exists() and (out / RECORD_FILE).exists()):
        return 0
    return int(torch.load(out / STATE_FILE, map_location="cpu", weights_only=True)["step"])


class _Learner:
    """One network and what it learns from."""

    def __init__(self, config: DiagnosticianConfig, task: Task, cases: list[Case]) -> None:
        torch.manual_seed(config.seed)
        self._config, self._task = config, task
        self._pictures, self._truths = _lessons(task, cases)
        self.network = task.network().train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._turns = _balanced(self._truths)

    def learn(self, step: int) -> dict[str, float]:
        """Take one step; returns its loss."""
        rng = np.random.default_rng([self._config.seed, step])
        n = self._config.n_outlined if self._task.sees_all else self._config.n_named
        chosen = torch.from_numpy(rng.choice(len(self._pictures), n, p=self._turns))
        seen, truths = self._shown(chosen, rng)
        for group in self.optimiser.param_groups:
            group["lr"] = self._config.learning_rate * _rate(step / self._config.n_steps)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self.network(seen.contiguous(memory_format=torch.channels_last)).float()
        loss = self._task.lesson(outputs, truths)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        return {"loss": float(loss.detach())}

    def _shown(self, chosen: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Vary pictures; a map of the truth goes with them, a class stays what it is."""
        pictures, truths = self._pictures[chosen], self._truths[chosen]
        if truths.ndim > 1:
            return varied(pictures, truths, rng)
        return varied(pictures, torch.zeros_like(pictures), rng)[0], truths


def _lessons(task: Task, cases: list[Case]) -> tuple[Tensor, Tensor]:
    pictures, truths = [], []
    for case in cases:
        scan = case.read()
        if task.sees_all and (scan.target is None or not scan.target.any()):
            continue
        greys = np.rint(scan.image * 255).astype(np.uint8)[None]
        pictures.append(torch.from_numpy(task.see(greys, scan.mask)))
        truths.append(task.truth(case, scan))
    return torch.cat(pictures), torch.stack(truths)


def _balanced(truths: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how likely each picture is drawn: every class alike."""
    if truths.ndim > 1:
        return np.full(len(truths), 1 / len(truths))
    classes, places = np.unique(truths.numpy(), return_inverse=True)
    shares = 1 / np.bincount(places)[places]
    return np.asarray(shares / len(classes), np.float64)


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 10) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)
