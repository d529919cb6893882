"""The loop of a run that teaches traces; it writes weights, curves and a record of what went in."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sonoquality.networks.trace_cells import TraceCells
from sonoquality.traces import CELL
from sonoquality.training.data import allowed, read_index, training_rows
from sonoquality.training.encoder.curves import Curves
from sonoquality.training.traces import bank
from sonoquality.training.traces.config import TracesConfig

RECORD_FILE, STATE_FILE = "record.json", "traces.pt"
CURVE_STEPS = 10
LEAST_RATE, RISE = 0.005, 0.05  #: of the learning rate at the end; share of steps that it rises
#: Of the exponents of grey maps, of gains, and of the noise's deviation.
CURVES, GAINS, NOISES = (0.7, 1.4), (0.7, 1.2), (0.0, 0.03)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Steps that learn from banks: half of the screens of the first, equal parts of the others."""

    banks: tuple[bank.Bank, ...]
    n_steps: int
    learning_rate: float


def train(config: TracesConfig, data: Path, out: Path, progress: Progress) -> Path:
    """Draw the banks and teach the net; returns the run's folder.

    A run that was interrupted goes on with the first bank or lesson that is not finished.

    Raises:
        ForbiddenDataError: a row may not be learned from.
        ValueError: the folder holds a run of another configuration or collection.
    """
    torch.set_num_threads(config.n_threads)
    torch.manual_seed(config.seed)
    rows = list(allowed(training_rows(read_index(data))))
    out.mkdir(parents=True, exist_ok=True)
    _begin(out, config, [row.sha256 for row in rows])
    tissues = bank.Tissues(rows, config)
    mixed = bank.make(out / "mixed", config.n_screens, partial(bank.draw, tissues), progress)
    drawn = partial(bank.draw_spoiled, tissues)
    spoiled = bank.make(out / "spoiled", config.n_spoiled, drawn, progress)
    level = partial(bank.draw_layered, config)
    layered = bank.make(out / "layered", config.n_layered, level, progress)
    drawn = partial(bank.draw_crossed, config)
    crossed = bank.make(out / "crossed", config.n_crossed, drawn, progress)
    net = TraceCells()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    lessons = [Lesson((mixed,), config.n_steps, config.learning_rate)]
    banks = (mixed, spoiled, layered)
    lessons += [Lesson(banks, n_steps, config.later_rate) for n_steps in config.n_later_steps]
    lessons.append(Lesson((*banks, crossed), config.n_last_steps, config.later_rate))
    passed = 0
    for number, lesson in enumerate(lessons, 1):
        kept = out / f"lesson-{number}.pt"
        if not kept.exists():
            curves = Curves(out, passed)
            _learn(net, lesson, (config, number), (curves, passed), progress)
            curves.write()
            torch.save(net.state_dict(), kept)
        net.load_state_dict(torch.load(kept, weights_only=True))
        passed += lesson.n_steps
    torch.save(net.state_dict(), out / STATE_FILE)
    return out


def load_net(folder: Path) -> TraceCells:
    """Return the net of a run."""
    net = TraceCells()
    net.load_state_dict(torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True))
    return net.eval()


def recorded(folder: Path) -> TracesConfig:
    """Return how a run was configured."""
    record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    return TracesConfig.model_validate(record["config"])


def _learn(
    net: TraceCells,
    lesson: Lesson,
    course: tuple[TracesConfig, int],
    watched: tuple[Curves, int],
    progress: Progress,
) -> None:
    (config, number), (curves, passed) = course, watched
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=lesson.learning_rate, weight_decay=0.02)
    for step in range(lesson.n_steps):
        rng = np.random.default_rng([config.seed, number, step])
        pixels, truth = varied(*_chosen(lesson, config.n_in_step, rng), rng)
        for group in optimiser.param_groups:
            group["lr"] = lesson.learning_rate * _rate(step / lesson.n_steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pixels.contiguous(memory_format=torch.channels_last)).float()
        loss = cell_loss(logits, truth)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        progress(f"lesson {number}", step + 1, lesson.n_steps)
        if step % CURVE_STEPS == 0:
            curves.add(passed + step + 1, {"loss": float(loss.detach())})


def _chosen(lesson: Lesson, n_in_step: int, rng: np.random.Generator) -> bank.Bank:
    """Return the screens of a step and their labels."""
    others = len(lesson.banks) - 1
    shares = [0.5, *[0.5 / others] * others] if others else [1.0]
    parts = []
    for (screens, labels), share in zip(lesson.banks, shares, strict=True):
        chosen = np.sort(rng.choice(len(screens), max(1, round(n_in_step * share)), replace=False))
        parts.append((screens[chosen], labels[chosen]))
    screens, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return screens, labels


def varied(
    screens: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return screens in [-1, 1] with other grey maps, noise and places, and shares of labels.

    Half of the steps see them mirrored, as time may run either way.

    Args:
        screens: (n, height, width).
        labels: (n, row, column, label), 255 for all of a cell.
        rng: of the step.
    """
    n = len(screens)
    bright = np.arange(256, dtype=np.float32) / 255
    curve, gain, loud = (rng.uniform(*span, (n, 1)) for span in (CURVES, GAINS, NOISES))
    maps = (bright**curve * gain).astype(np.float32)
    mapped = np.stack([maps[i][screen] for i, screen in enumerate(screens)])
    noise = rng.standard_normal(screens.shape[1:], dtype=np.float32)
    mapped += loud[..., None].astype(np.float32) * noise
    pixels = torch.from_numpy(mapped)[:, None].clamp(0, 1)
    truth = torch.from_numpy(labels.astype(np.float32) / 255).permute(0, 3, 1, 2)
    down, aside = (int(rng.integers(0, most)) for most in (5, 7))
    pixels = functional.pad(pixels, (aside * CELL, 0, down * CELL, 0))[
        ..., : screens.shape[1], : screens.shape[2]
    ]
    moved = functional.pad(truth, (aside, 0, down, 0))[..., : labels.shape[1], : labels.shape[2]]
    moved[:, 0] += 1.0 - moved.sum(dim=1)
    if rng.random() < 0.5:
        pixels, moved = pixels.flip(3), moved.flip(3)
    return pixels * 2 - 1, moved


def cell_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the mean cross entropy of cells."""
    return -(truth * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 25) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)


def _begin(out: Path, config: TracesConfig, pictures: list[str]) -> None:
    entered = {"config": config.model_dump(mode="json"), "pictures": pictures}
    path = out / RECORD_FILE
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != entered:
        raise ValueError(f"{out} holds a run of another configuration or images; name another.")
    path.write_text(json.dumps(entered, indent=2) + "\n", encoding="utf-8")
