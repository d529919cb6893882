"""What is learned from in a step: pictures, some without tissue, and questions as tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from sonoquality.arrays import Mask, UnitImage
from sonoquality.networks.picture_language import IGNORED, Asked
from sonoquality.training.mllm.cases import FINDINGS, ORGANS, Squares
from sonoquality.training.mllm.config import MllmConfig
from sonoquality.training.mllm.questions import Known, Question, questions_of
from sonoquality.training.segmentation.pictures import HALF, varied

BLACK_SHARE = 0.35  #: of the pictures without tissue
MEANS, SPREADS, GRAINS = (0.15, 0.55), (0.04, 0.2), (0.5, 2.0)  #: of speckle; grains in px

#: Organ and finding of every picture there may be.
_LABELS: list[tuple[str, str | None]] = [
    *((organ, None) for organ in sorted(set(ORGANS.values()))),
    *(
        (ORGANS[source], finding)
        for source, findings in FINDINGS.items()
        for finding in findings.values()
    ),
]
N_LABELS = len(_LABELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One step's pictures and questions."""

    pictures: Tensor  #: (picture, side, side) as they are shown
    outlines: Tensor  #: (picture, side, side), 1 where the outlined is
    outlined: Tensor  #: (picture,), whether it is shown and has an outline
    labels: Tensor  #: (picture,) number of organ and finding; `IGNORED` where it is not shown
    asked: Asked
    of: Tensor  #: (question,) number of its picture


class Teacher:
    """Draws lessons from known pictures."""

    def __init__(
        self, known: Sequence[Known], seen: Squares, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        self._known, self._tokenizer = known, tokenizer
        self._pictures = torch.from_numpy(seen.pictures * seen.scans)[:, None]
        self._outlines = torch.from_numpy(seen.outlines)[:, None]
        self._scans = seen.scans
        self._labels = torch.tensor([_LABELS.index((k.organ, k.finding)) for k in known])

    def lesson(self, rng: np.random.Generator, config: MllmConfig) -> Lesson:
        """Draw pictures, vary them, ask everything of each.

        Some are shown without tissue, and are asked what another picture was to be asked: from
        these the network learns to answer as often as each answer is right, where it sees nothing.
        """
        n = min(config.n_pictures, len(self._known))
        chosen = rng.choice(len(self._known), n, replace=False)
        taken = torch.from_numpy(chosen)
        pictures, outlines = varied(self._pictures[taken], self._outlines[taken], rng)
        pictures, outlines = pictures[:, 0], outlines[:, 0]
        questions, of = [], []
        for place, number in enumerate(chosen):
            outline = outlines[place].numpy() >= HALF
            asked = questions_of(self._known[number], outline, int(rng.integers(1 << 16)))
            kept = rng.permutation(len(asked))[: config.n_questions]
            questions += [asked[number] for number in kept]
            of += [place] * len(kept)
        hidden = self._hide(pictures, rng, config.nothing_share)
        has_outline = torch.tensor([self._known[i].thing is not None for i in chosen])
        return Lesson(
            pictures=pictures,
            outlines=outlines,
            outlined=has_outline & ~hidden,
            labels=torch.where(hidden, IGNORED, self._labels[taken]),
            asked=as_tokens(questions, self._tokenizer, with_end=True),
            of=torch.tensor(of),
        )

    def _hide(self, pictures: Tensor, rng: np.random.Generator, share: float) -> Tensor:
        hidden = rng.random(len(pictures)) < share
        for place in np.flatnonzero(hidden):
            scan = self._scans[rng.integers(len(self._scans))] >= HALF
            if rng.random() < BLACK_SHARE:
                pictures[place] = 0
            else:
                pictures[place] = torch.from_numpy(speckle(scan, rng))
        return torch.from_numpy(hidden)


def speckle(scan: Mask, rng: np.random.Generator) -> UnitImage:
    """Fill a scan mask with grain of drawn coarseness and brightness: a frame without tissue."""
    grain = ndimage.gaussian_filter(rng.normal(size=scan.shape), rng.uniform(*GRAINS, 2))
    grey = rng.uniform(*MEANS) + rng.uniform(*SPREADS) * grain / grain.std()
    return np.where(scan, np.clip(grey, 0, 1), 0).astype(np.float32)


def as_tokens(
    questions: Sequence[Question],
    tokenizer: PreTrainedTokenizerFast,
    answers: Sequence[str] | None = None,
    *,
    with_end: bool = False,
) -> Asked:
    """Return questions as tokens, each with its reference answer or the one that is handed in.

    Args:
        questions: to ask.
        tokenizer: of the network.
        answers: one for each question; the reference answers by default.
        with_end: whether the end of the answer is a target too.
    """
    given = [question.answer for question in questions] if answers is None else answers
    asked = tokenizer([question.text for question in questions])["input_ids"]
    said = tokenizer([f" {answer}" for answer in given])["input_ids"]
    end = [tokenizer.eos_token_id] if with_end else []
    length = max(len(a) + len(s) + len(end) for a, s in zip(asked, said, strict=True))
    tokens = torch.full((len(asked), length), tokenizer.pad_token_id)
    targets = torch.full((len(asked), length), IGNORED)
    for line, (before, after) in enumerate(zip(asked, said, strict=True)):
        whole = torch.tensor([*before, *after, *end])
        tokens[line, : len(whole)] = whole
        targets[line, len(before) : len(whole)] = whole[len(before) :]
    return Asked(tokens=tokens, targets=targets)
