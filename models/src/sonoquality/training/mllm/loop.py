"""What the small multimodal model learns in a step; `OUT/<fold>` is a `resumable` run's folder.

`OUT/<fold>/model` is the finished network in Hugging Face form: configuration, weights, tokenizer
and the way pictures are read.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from sonoquality.labelling.folds import HELD_BACK, fold_of
from sonoquality.mllm.local import SAYS
from sonoquality.networks import picture_language
from sonoquality.networks.picture_language import Asker, TowerSizes
from sonoquality.training.data import allowed
from sonoquality.training.mllm.cases import Squares, Subject, kept_squares, subjects
from sonoquality.training.mllm.config import MllmConfig, Shape
from sonoquality.training.mllm.lessons import N_LABELS, Lesson, Teacher
from sonoquality.training.mllm.words import learn_tokenizer
from sonoquality.training.resumable import Progress, Resumable, begin

NAME, MODEL_FOLDER = "mllm", "model"
TRAINED = (
    "trained here on questions of organ, lesion, finding, place, size and shape, never of quality"
)
ALL = "all"  #: the run of all training rows
LEAST_RATE, RISE = 0.02, 0.06  #: of the learning rate at the end; share of steps that it rises


def rows_to_learn(data: Path, n_folds: int, fold: int | None) -> list[Subject]:
    """Return the training rows that a fold's network learns from: those of all other folds.

    Args:
        data: folder of the collection.
        n_folds: how many there are.
        fold: which one the network is to judge; None: it learns from all training rows.

    Raises:
        ValueError: no such fold.
    """
    if fold is not None and not 0 <= fold < n_folds:
        raise ValueError(f"There is no fold {fold} among {n_folds}, which are counted from 0.")
    learned = [
        each for each in subjects(data) if fold_of(each.row, n_folds) not in (HELD_BACK, fold)
    ]
    list(allowed(each.row for each in learned))
    return learned


def train(
    config: MllmConfig, data: Path, out: Path, folds: tuple[int, int | None], progress: Progress
) -> Path:
    """Train, or go on training, the network that is to judge a fold; returns its model's folder.

    Args:
        config: of the run.
        data: folder of the collection.
        out: folder of all folds' runs.
        folds: how many there are, and the one that this network is to judge; None: it learns from
            all training rows.
        progress: is told how many steps are done.

    Raises:
        ValueError: no such fold, or the folder holds a run of another configuration or rows.
    """
    torch.set_num_threads(config.n_threads)
    cases = rows_to_learn(data, *folds)
    folder = out / (ALL if folds[1] is None else f"fold-{folds[1]}")
    entered = {
        "config": config.model_dump(mode="json"),
        "n_folds": folds[0],
        "fold": folds[1],
        "n_pictures": len(cases),
        "pictures": [case.row.sha256 for case in cases],
    }
    begin(folder, entered)
    seen = kept_squares(cases, config.shape.side, out / f"squares-{config.shape.side}.npz")
    learner = _Learner(config, cases, seen)
    run = Resumable(NAME, learner.pupil, learner.optimiser, folder)
    run.go_on(
        learner.learn,
        n_steps=config.n_steps,
        checkpoint_steps=config.checkpoint_steps,
        tell=partial(progress, f"learning {folder.name}"),
    )
    return save(learner.pupil, learner.tokenizer, config.shape, folder / MODEL_FOLDER)


def save(pupil: "Pupil", tokenizer: PreTrainedTokenizerFast, shape: Shape, folder: Path) -> Path:
    """Write the network in Hugging Face form, as `LocalMultimodal` reads it; returns the folder."""
    n_weights = sum(each.numel() for each in pupil.network.parameters())
    pupil.network.config.update({SAYS: f"{n_weights / 1e6:.1f} million parameters, {TRAINED}"})
    pupil.network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pixels = shape.side**2
    Qwen2VLImageProcessorPil(
        min_pixels=pixels,
        max_pixels=pixels,
        patch_size=shape.patch,
        merge_size=picture_language.MERGE,
        image_mean=[picture_language.MEAN] * 3,
        image_std=[picture_language.SCALE] * 3,
    ).save_pretrained(folder)
    return folder


class Pupil(nn.Module):
    """The network, and helping heads: where the outlined is, and which organ and finding."""

    def __init__(self, shape: Shape, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        special = (
            picture_language.PAD,
            picture_language.END,
            picture_language.IMAGE,
            picture_language.VIDEO,
            picture_language.VISION_START,
            picture_language.VISION_END,
        )
        sizes = TowerSizes(
            **shape.model_dump(),
            vocabulary=len(tokenizer),
            tokens={each: tokenizer.get_vocab()[each] for each in special},
        )
        self.network = picture_language.build(sizes)
        self.outline = nn.Linear(shape.vision_width, 1)
        self.label = nn.Linear(shape.vision_width, N_LABELS)


class _Learner:
    """One network and what it learns from."""

    def __init__(self, config: MllmConfig, cases: Sequence[Subject], seen: Squares) -> None:
        torch.manual_seed(config.seed)
        self.config, self.tokenizer = config, learn_tokenizer()
        known = [case.known for case in cases]
        self._teacher = Teacher(known, seen, self.tokenizer)
        self.pupil = Pupil(config.shape, self.tokenizer).train()
        self._asker = Asker(self.pupil.network)
        self.optimiser = torch.optim.AdamW(
            _parameters(self.pupil, config.weight_decay), betas=(0.9, 0.98)
        )

    def learn(self, step: int) -> dict[str, float]:
        """Take one step; returns its losses."""
        config = self.config
        rng = np.random.default_rng([config.seed, step])
        lesson = self._teacher.lesson(rng, config)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(step / config.n_steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            looked = self._asker.look(lesson.pictures)
            logits = self._asker.logits(looked, lesson.asked, lesson.of)
            outline = self.pupil.outline(looked.patches)[..., 0].float()
            label = self.pupil.label(looked.patches.mean(dim=1)).float()
        answers = functional.cross_entropy(
            logits,
            lesson.asked.targets[lesson.asked.targets != picture_language.IGNORED],
            label_smoothing=config.smoothing,
        )
        losses = {
            "answers": answers,
            "outline": _outline_loss(outline, lesson, config.shape),
            "label": functional.cross_entropy(label, lesson.labels, reduction="sum")
            / (lesson.labels != picture_language.IGNORED).sum().clamp(min=1),
        }
        self.optimiser.zero_grad()
        torch.autograd.backward(
            answers
            + config.outline_weight * losses["outline"]
            + config.label_weight * losses["label"]
        )
        nn.utils.clip_grad_norm_(self.pupil.parameters(), 1.0)
        self.optimiser.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}


def _outline_loss(found: Tensor, lesson: Lesson, shape: Shape) -> Tensor:
    """Return the cross-entropy of each patch's share of the outlined."""
    share = functional.avg_pool2d(lesson.outlines[:, None], shape.patch)[:, 0]
    n, merge = len(share), picture_language.MERGE
    groups = shape.grid // merge
    in_order = share.view(n, groups, merge, groups, merge).permute(0, 1, 3, 2, 4).reshape(n, -1)
    losses = functional.binary_cross_entropy_with_logits(found, in_order, reduction="none")
    counts = lesson.outlined.float()[:, None].expand_as(losses)
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def _parameters(pupil: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Part weights, which decay, from norms and biases, which do not."""
    wide = [each for each in pupil.parameters() if each.ndim > 1]
    narrow = [each for each in pupil.parameters() if each.ndim <= 1]
    return [
        {"params": wide, "weight_decay": weight_decay},
        {"params": narrow, "weight_decay": 0.0},
    ]


def _rate(done: float) -> float:
    """Return the share of the learning rate: a short rise, then half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (done + RISE / 10) / RISE) * (LEAST_RATE + (1 - LEAST_RATE) * fall)
