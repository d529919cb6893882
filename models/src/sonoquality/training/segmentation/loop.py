"""The loop of a segmentation run, resumable at its last checkpoint; then nothing but files.

`OUT/<organ>/segmenter.pt` holds the weights, `state.pt` what a resume needs, curves.csv and
curves.png the course, `record.json` what went in.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sonoquality.networks.segmenter import Segmenter
from sonoquality.training.data import allowed
from sonoquality.training.encoder.curves import Curves
from sonoquality.training.segmentation.config import SegmentationConfig
from sonoquality.training.segmentation.pictures import Outlined, outlined, squares, varied

RECORD_FILE, STATE_FILE, WEIGHTS_FILE = "record.json", "state.pt", "segmenter.pt"
LEAST_RATE, RISE = 0.01, 0.05  #: of the learning rate at the end; share of steps that it rises
Progress = Callable[[str, int, int], None]


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
    folder.mkdir(parents=True, exist_ok=True)
    _begin(folder, config, organ, found)
    _Run(config, folder).go_on(*squares(found, config.side), organ, progress)
    return folder


def load_segmenter(folder: Path) -> tuple[Segmenter, SegmentationConfig]:
    """Return the trained network of an organ's folder, and how it was trained.

    Raises:
        FileNotFoundError: the run was not begun.
        ValueError: it was not finished.
    """
    config = SegmentationConfig.model_validate(_read_record(folder)["config"])
    state = torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True)
    if int(state["step"]) < config.n_steps:
        raise ValueError(f"{folder} stopped at step {state['step']}; run its training again.")
    segmenter = Segmenter(config.widths)
    segmenter.load_state_dict(state["segmenter"])
    return segmenter.eval(), config


class _Run:
    """One network at a step."""

    def __init__(self, config: SegmentationConfig, out: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.out, self.step = config, out, 0
        self.segmenter = Segmenter(config.widths).train()
        self.segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.optimiser = torch.optim.AdamW(self.segmenter.parameters(), lr=config.learning_rate)
        self._resume()
        self.curves = Curves(out, self.step)

    def go_on(self, pictures: Tensor, organs: Tensor, organ: str, progress: Progress) -> None:
        """Take the steps that are left."""
        while self.step < self.config.n_steps:
            self.curves.add(self.step + 1, self._learn(pictures, organs))
            self.step += 1
            progress(f"learning {organ}", self.step, self.config.n_steps)
            if self.step % self.config.checkpoint_steps == 0 or self.step == self.config.n_steps:
                self._keep()

    def _learn(self, pictures: Tensor, organs: Tensor) -> dict[str, float]:
        rng = np.random.default_rng([self.config.seed, self.step])
        n = min(self.config.n_pictures, len(pictures))
        chosen = torch.from_numpy(rng.choice(len(pictures), n, replace=False))
        seen, truth = varied(pictures[chosen], organs[chosen], rng)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * _rate(self.step / self.config.n_steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.segmenter(seen.contiguous(memory_format=torch.channels_last)).float()
        entropy = functional.binary_cross_entropy_with_logits(logits, truth)
        overlap = _soft_dice(torch.sigmoid(logits), truth).mean()
        self.optimiser.zero_grad()
        torch.autograd.backward(entropy + 1.0 - overlap)
        self.optimiser.step()
        return {"entropy": float(entropy.detach()), "soft_dice": float(overlap.detach())}

    def _keep(self) -> None:
        """Write weights and curves; the state last, since it is what a resume trusts."""
        self.curves.write()
        state = {
            "step": self.step,
            "segmenter": self.segmenter.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        for name, content in ((WEIGHTS_FILE, state["segmenter"]), (STATE_FILE, state)):
            unfinished = self.out / f"{name}.part"
            torch.save(content, unfinished)
            unfinished.replace(self.out / name)

    def _resume(self) -> None:
        if not (self.out / STATE_FILE).exists():
            return
        state = torch.load(self.out / STATE_FILE, map_location="cpu", weights_only=True)
        self.step = int(state["step"])
        self.segmenter.load_state_dict(state["segmenter"])
        self.optimiser.load_state_dict(state["optimiser"])


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 10) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)


def _soft_dice(shares: Tensor, truth: Tensor) -> Tensor:
    common = (shares * truth).sum(dim=(1, 2, 3))
    return (2 * common + 1) / (shares.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1)


def _begin(folder: Path, config: SegmentationConfig, organ: str, found: list[Outlined]) -> None:
    entered = {
        "config": config.model_dump(mode="json"),
        "organ": organ,
        "n_pictures": len(found),
        "pictures": [each.row.sha256 for each in found],
    }
    if (folder / RECORD_FILE).exists() and _read_record(folder) != entered:
        raise ValueError(f"{folder} holds a run of another configuration or images; name another.")
    (folder / RECORD_FILE).write_text(json.dumps(entered, indent=2) + "\n", encoding="utf-8")


def _read_record(folder: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    return record
