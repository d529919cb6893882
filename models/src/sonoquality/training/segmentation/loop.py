"""What a segmentation network learns in a step; `OUT/<organ>` is a `resumable` run's folder."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sonoquality.networks.segmenter import Segmenter
from sonoquality.training.data import allowed
from sonoquality.training.resumable import STATE_FILE, Progress, Resumable, begin, read_record
from sonoquality.training.segmentation.config import SegmentationConfig
from sonoquality.training.segmentation.pictures import outlined, squares, varied

NAME = "segmenter"
LEAST_RATE, RISE = 0.01, 0.05  #: of the learning rate at the end; share of steps that it rises


def train(
    config: SegmentationConfig, organ: str, data: Path, out: Path, progress: Progress
) -> Path:
    """Train, or go on training, the network of an organ; returns its folder.

    It learns from rows of the training split under a permissive licence that have an outline, but
    not from the groups that calibrate. Each step depends on its number alone.

    Raises:
        KeyError: no such organ.
        ValueError: the folder holds a run of another configuration or collection.
    """
    torch.set_num_threads(config.n_threads)
    found = outlined(data, organ, "train")
    list(allowed(each.row for each in found))
    folder = out / organ
    entered = {
        "config": config.model_dump(mode="json"),
        "organ": organ,
        "n_pictures": len(found),
        "pictures": [each.row.sha256 for each in found],
    }
    begin(folder, entered)
    learner = _Learner(config, *squares(found, config.side))
    run = Resumable(NAME, learner.segmenter, learner.optimiser, folder)
    run.go_on(
        learner.learn,
        n_steps=config.n_steps,
        checkpoint_steps=config.checkpoint_steps,
        tell=partial(progress, f"learning {organ}"),
    )
    return folder


def load_segmenter(folder: Path) -> tuple[Segmenter, SegmentationConfig]:
    """Return the trained network of an organ's folder, and how it was trained.

    Raises:
        FileNotFoundError: the run was not begun.
        ValueError: it was not finished.
    """
    config = SegmentationConfig.model_validate(read_record(folder)["config"])
    state = torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True)
    if int(state["step"]) < config.n_steps:
        raise ValueError(f"{folder} stopped at step {state['step']}; run its training again.")
    segmenter = Segmenter(config.widths)
    segmenter.load_state_dict(state[NAME])
    return segmenter.eval(), config


class _Learner:
    """One network and what it learns from."""

    def __init__(self, config: SegmentationConfig, pictures: Tensor, organs: Tensor) -> None:
        torch.manual_seed(config.seed)
        self.config, self._pictures, self._organs = config, pictures, organs
        self.segmenter = Segmenter(config.widths).train()
        self.segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.optimiser = torch.optim.AdamW(self.segmenter.parameters(), lr=config.learning_rate)

    def learn(self, step: int) -> dict[str, float]:
        """Take one step; returns its losses."""
        rng = np.random.default_rng([self.config.seed, step])
        n = min(self.config.n_pictures, len(self._pictures))
        chosen = torch.from_numpy(rng.choice(len(self._pictures), n, replace=False))
        seen, truth = varied(self._pictures[chosen], self._organs[chosen], rng)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * _rate(step / self.config.n_steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.segmenter(seen.contiguous(memory_format=torch.channels_last)).float()
        entropy = functional.binary_cross_entropy_with_logits(logits, truth)
        overlap = _soft_dice(torch.sigmoid(logits), truth).mean()
        self.optimiser.zero_grad()
        torch.autograd.backward(entropy + 1.0 - overlap)
        self.optimiser.step()
        return {"entropy": float(entropy.detach()), "soft_dice": float(overlap.detach())}


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 10) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)


def _soft_dice(shares: Tensor, truth: Tensor) -> Tensor:
    common = (shares * truth).sum(dim=(1, 2, 3))
    return (2 * common + 1) / (shares.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1)
