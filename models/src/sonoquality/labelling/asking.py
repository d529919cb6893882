"""Asking multimodal language models: what an answer costs them under a picture.

The loss is that of a reference answer, teacher-forced (SCIENCE 6e): of the true answer (accuracy),
or of the model's own on the clean picture (consistency). A question that is answered as well
without the picture says nothing of it and is left out.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, Qwen2VLForConditionalGeneration

from sonoquality.arrays import Floats, Luma, UnitImage
from sonoquality.mllm.port import Multimodal
from sonoquality.networks.picture_language import IGNORED, Asker
from sonoquality.training.mllm.lessons import as_tokens
from sonoquality.training.mllm.questions import Question
from sonoquality.training.segmentation.pictures import square

AT_ONCE = 32  #: pictures in one pass
WHITE = 255
PICTURES_FILE = "preprocessor_config.json"
#: A question is answered without the picture when each token of its answer is likelier than this.
LIKELY = 0.5


class Examinee(ABC):
    """A model that is asked about pictures, all of them squares of one side."""

    name: str
    side: int  #: px

    @abstractmethod
    def question_losses(
        self,
        questions: Sequence[Question],
        pictures: Sequence[UnitImage],
        answers: Sequence[str] | None = None,
    ) -> Floats:
        """Return the loss of each answer under each picture.

        Args:
            questions: about what the pictures show.
            pictures: the scan area (height, width) in [0, 1] of any size, without padding.
            answers: one for each question; the reference answers by default.

        Returns:
            (picture, question) mean negative log-likelihood of the answer's tokens.
        """

    def losses(
        self,
        questions: Sequence[Question],
        pictures: Sequence[UnitImage],
        answers: Sequence[str] | None = None,
    ) -> Floats:
        """Return the mean of `question_losses` over the questions, (picture,)."""
        found: Floats = self.question_losses(questions, pictures, answers).mean(axis=1)
        return found

    def own_answers(self, questions: Sequence[Question], picture: UnitImage) -> list[str]:
        """Return the likeliest candidate of each question under a picture."""
        each = [(q, candidate) for q in questions for candidate in q.candidates]
        costs = self.question_losses([q for q, _ in each], [picture], [a for _, a in each])[0]
        ends = np.cumsum([len(q.candidates) for q in questions])[:-1]
        parts = np.split(costs, ends)
        return [q.candidates[int(part.argmin())] for q, part in zip(questions, parts, strict=True)]

    def needing_the_picture(self, questions: Sequence[Question]) -> list[Question]:
        """Return the questions that the model does not answer under a black picture."""
        if not questions:
            return []
        blank = np.zeros((self.side, self.side), np.float32)
        costs = self.question_losses(questions, [blank])[0]
        return [
            question
            for question, cost in zip(questions, costs, strict=True)
            if cost > -math.log(LIKELY)
        ]


class TrainedExaminee(Examinee):
    """A network trained here, many pictures and questions in one pass."""

    def __init__(self, folder: Path) -> None:
        """Load what `sonoquality train mllm` wrote.

        Raises:
            OSError: the folder holds no model.
        """
        if not (folder / "config.json").exists():
            raise FileNotFoundError(f"{folder} holds no model; name the folder with config.json.")
        network = Qwen2VLForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        self._asker = Asker(network.train(mode=False))
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.name = f"{folder.parent.name}/{folder.name}"
        pixels = json.loads((folder / PICTURES_FILE).read_text(encoding="utf-8"))["size"]
        self.side = math.isqrt(int(pixels["longest_edge"]))

    @torch.no_grad()
    def question_losses(
        self,
        questions: Sequence[Question],
        pictures: Sequence[UnitImage],
        answers: Sequence[str] | None = None,
    ) -> Floats:
        """Return the loss (picture, question) of each answer under each picture."""
        asked = as_tokens(questions, self._tokenizer, answers)
        n_targets = (asked.targets != IGNORED).sum(dim=1)
        parts = []
        for start in range(0, len(pictures), AT_ONCE):
            seen = self._batch(pictures[start : start + AT_ONCE])
            looked = self._asker.look(seen)
            of = torch.arange(len(seen)).repeat_interleave(len(questions))
            found = self._asker.log_likelihoods(looked, asked.repeated(len(seen)), of)
            parts.append(-found.sum(dim=1).view(len(seen), -1) / n_targets)
        return torch.cat(parts).double().numpy()

    def _batch(self, pictures: Sequence[UnitImage]) -> Tensor:
        return torch.from_numpy(np.stack([square(each, self.side) for each in pictures]))


class PortExaminee(Examinee):
    """Any multimodal model behind its port, one question of one picture at a time."""

    def __init__(self, model: Multimodal, side: int = 448) -> None:
        self._model, self.name, self.side = model, model.name, side

    def question_losses(
        self,
        questions: Sequence[Question],
        pictures: Sequence[UnitImage],
        answers: Sequence[str] | None = None,
    ) -> Floats:
        """Return the loss (picture, question) of each answer under each picture."""
        given = [question.answer for question in questions] if answers is None else answers
        found = [
            [
                -self._model.logprobs([shown], question.text, [f" {answer}"])[0]
                for question, answer in zip(questions, given, strict=True)
            ]
            for shown in (_luma(square(each, self.side)) for each in pictures)
        ]
        return np.array(found, np.float64).reshape(len(pictures), len(questions))

    def own_answers(self, questions: Sequence[Question], picture: UnitImage) -> list[str]:
        """Return the likeliest candidate of each question under a picture."""
        shown = _luma(square(picture, self.side))
        chosen = []
        for question in questions:
            words = [f" {candidate}" for candidate in question.candidates]
            found = self._model.logprobs([shown], question.text, words)
            chosen.append(question.candidates[int(np.argmax(found))])
        return chosen


def _luma(picture: UnitImage) -> Luma:
    return np.rint(np.clip(picture, 0, 1) * WHITE).astype(np.uint8)
