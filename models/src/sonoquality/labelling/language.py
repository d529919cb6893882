"""Multimodal language models among the diagnosticians: what their answers cost.

Each image is asked all that its labels and outline answer, and that the model cannot answer
without looking; its loss is the mean over those questions. Anything behind the port
`mllm.port.Multimodal` can take the place of the networks trained here.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from sonoquality.arrays import Floats
from sonoquality.labelling.asking import WHITE, Examinee, PortExaminee, TrainedExaminee
from sonoquality.labelling.cases import Case, Scan
from sonoquality.labelling.folds import HELD_BACK, fold_of
from sonoquality.labelling.spoiled import Greys
from sonoquality.mllm.port import Multimodal
from sonoquality.training.data import Row
from sonoquality.training.mllm.cases import subject_of
from sonoquality.training.mllm.loop import ALL, MODEL_FOLDER
from sonoquality.training.mllm.questions import Question, questions_of
from sonoquality.training.segmentation.pictures import HALF, square

#: What our networks still tell of a scan full of speckle, since its frame says it (`frame`): there
#: they keep a third of what they know of the organ, and 2 % of all other kinds together.
FRAME_TELLS = ("organ",)


class _Asking:
    """A `diagnosing.Diagnostician` that asks the examinee of a case."""

    kind = "language"

    def __init__(
        self, name: str, examinee_of: Callable[[Case], Examinee], without: Sequence[str] = ()
    ) -> None:
        self.name, self._without = name, without
        self.examinee_of = examinee_of
        self._asked, self.all_questions = cache(self._needing), cache(self._all)

    def has(self, case: Case) -> bool:
        """Tell whether there is a question that needs the picture."""
        return bool(self.questions(case))

    def can_answer(self, scan: Scan) -> bool:
        """Questions are answered on any scan; which there are is the case's matter."""
        return bool(scan.mask.any())

    def questions(self, case: Case) -> tuple[Question, ...]:
        """Return what a case is asked: all that its model does not answer without looking."""
        return self._asked(case)

    def losses(self, case: Case, scan: Scan, pictures: Greys) -> Floats:
        """Return (n, 2) of pictures (n, height, width), the first of them clean.

        Columns: mean loss of the true answers, and of its own answers on the first.
        """
        questions, examinee = self.questions(case), self.examinee_of(case)
        seen = [
            square((np.where(scan.mask, each, 0) / WHITE).astype(np.float32), examinee.side)
            for each in pictures
        ]
        own = examinee.own_answers(questions, seen[0])
        columns = [examinee.losses(questions, seen), examinee.losses(questions, seen, own)]
        return np.stack(columns, axis=1)

    def _needing(self, case: Case) -> tuple[Question, ...]:
        asked = [each for each in self.all_questions(case) if each.kind not in self._without]
        return tuple(self.examinee_of(case).needing_the_picture(asked))

    def _all(self, case: Case) -> tuple[Question, ...]:
        """Return all that can be asked of a case; places and sizes are those its model is shown."""
        subject, side = subject_of(case), self.examinee_of(case).side
        _, outline = subject.read()
        shown = None if outline is None else square(outline.astype(np.float32), side) >= HALF
        return tuple(questions_of(subject.known, shown))


class LanguageDiagnostician(_Asking):
    """The networks of `sonoquality train mllm`: a case is asked of one that never saw it."""

    def __init__(self, run: Path, n_folds: int = 4, without: Sequence[str] = FRAME_TELLS) -> None:
        """Take the folder of all folds' runs; a network is loaded when it is first asked.

        Args:
            run: folder of `sonoquality train mllm`.
            n_folds: as many as it was told.
            without: kinds of questions that are not asked.

        Raises:
            FileNotFoundError: while asking, where the run of a fold is not finished.
        """

        @cache
        def load(name: str) -> Examinee:
            return TrainedExaminee(run / name / MODEL_FOLDER)

        super().__init__("language", lambda case: load(run_of(case.row, n_folds)), without)


class MultimodalDiagnostician(_Asking):
    """Any multimodal model behind its port; it has seen none of the images."""

    def __init__(self, model: Multimodal, side: int = 448) -> None:
        """Show the model squares of so many px."""
        examinee = PortExaminee(model, side)
        safe = "".join(letter if letter.isalnum() else "_" for letter in model.name)
        super().__init__(f"language-{safe}", lambda case: examinee)


def run_of(row: Row, n_folds: int) -> str:
    """Return the run whose network may judge a row."""
    fold = fold_of(row, n_folds)
    return ALL if fold == HELD_BACK else f"fold-{fold}"
