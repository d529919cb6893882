"""What the language models know of pictures they never learned from, and what faults cost them.

Two tables: every question of every image, under the clean picture, a black one and speckle; and
the losses along ladders of a few.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sonoquality import degrade
from sonoquality.arrays import UnitImage
from sonoquality.labelling.cases import Case, Scan, all_cases
from sonoquality.labelling.folds import OPTIMISTIC
from sonoquality.labelling.language import LanguageDiagnostician
from sonoquality.labelling.spoiled import speckle_only
from sonoquality.training.segmentation.pictures import square

ANSWERS, LADDERS = "language-answers.csv", "language-ladders.csv"
Progress = Callable[[str, int, int], None]
Line = dict[str, object]


def answers(data: Path, who: LanguageDiagnostician, out: Path, progress: Progress) -> Path:
    """Ask everything of every image; writes and returns the table.

    Columns: `loss_*` of the true answer under the clean picture, a black one and the scan filled
    with speckle; `said_*` the likeliest candidate; `needs_picture` by the text-only control.
    """
    return _write(out / ANSWERS, _told(all_cases(data), "questions", progress, who, _answers_of))


def ladders(
    data: Path,
    who: LanguageDiagnostician,
    out: Path,
    shape: tuple[int, Sequence[str]],
    progress: Progress,
) -> Path:
    """Measure the losses along ladders; writes and returns the table.

    Args:
        data: folder of the collection.
        who: asks the network that may judge an image.
        out: folder of the tables.
        shape: how many images of each source, taken evenly, and under which operators.
        progress: is told how many images are done.
    """
    per_source, operators = shape
    chosen = [case for found in _by_source(all_cases(data)) for case in _spread(found, per_source)]

    def lines_of(case: Case, who: LanguageDiagnostician) -> Iterator[Line]:
        yield from _ladders_of(case, who, operators)

    return _write(out / LADDERS, _told(chosen, "ladders", progress, who, lines_of))


def _answers_of(case: Case, who: LanguageDiagnostician) -> Iterator[Line]:
    scan, examinee = case.read(), who.examinee_of(case)
    clean = square(np.where(scan.mask, scan.image, np.float32(0)), examinee.side)
    pictures = {
        "clean": clean,
        "blank": np.zeros_like(clean),
        "speckle": square(speckle_only(scan, case.row.seed), examinee.side),
    }
    questions = who.all_questions(case)
    losses = examinee.question_losses(questions, list(pictures.values()))
    said = {name: examinee.own_answers(questions, each) for name, each in pictures.items()}
    needing = examinee.needing_the_picture(questions)
    for number, question in enumerate(questions):
        yield {
            **_named(case),
            "kind": question.kind,
            "answer": question.answer,
            **{f"loss_{name}": losses[at, number] for at, name in enumerate(pictures)},
            **{f"said_{name}": said[name][number] for name in pictures},
            "needs_picture": question in needing,
        }


def _ladders_of(case: Case, who: LanguageDiagnostician, operators: Sequence[str]) -> Iterator[Line]:
    questions, examinee = who.questions(case), who.examinee_of(case)
    if not questions:
        return
    scan = case.read()
    own = examinee.own_answers(questions, np.where(scan.mask, scan.image, np.float32(0)))
    for operator in operators:
        rungs = [
            square(_spoiled(scan, operator, level, case.row.seed), examinee.side)
            for level in (0, *degrade.LEVELS)
        ]
        accuracy = examinee.question_losses(questions, rungs)
        consistency = examinee.question_losses(questions, rungs, own)
        for level in range(len(rungs)):
            for number, question in enumerate(questions):
                yield {
                    **_named(case),
                    "kind": question.kind,
                    "operator": operator,
                    "level": level,
                    "loss_accuracy": accuracy[level, number],
                    "loss_consistency": consistency[level, number],
                }


def _spoiled(scan: Scan, operator: str, level: int, seed: int) -> UnitImage:
    made = degrade.apply(operator, scan.image, scan.mask, level, seed)
    return np.where(scan.mask, made, np.float32(0))


def _named(case: Case) -> Line:
    return {
        "sha256": case.row.sha256,
        "source": case.row.source,
        "fold": case.fold,
        "optimistic": case.row.group in OPTIMISTIC,
    }


def _told(
    cases: Sequence[Case],
    work: str,
    progress: Progress,
    who: LanguageDiagnostician,
    lines_of: Callable[[Case, LanguageDiagnostician], Iterator[Line]],
) -> Iterator[Line]:
    for number, case in enumerate(cases, start=1):
        yield from lines_of(case, who)
        progress(work, number, len(cases))


def _by_source(cases: Sequence[Case]) -> list[list[Case]]:
    sources = dict.fromkeys(case.row.source for case in cases)
    return [[case for case in cases if case.row.source == source] for source in sources]


def _spread(cases: Sequence[Case], n: int) -> list[Case]:
    places = np.linspace(0, len(cases) - 1, min(n, len(cases))).round().astype(int)
    return [cases[place] for place in places]


def _write(path: Path, lines: Iterable[Line]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table: csv.DictWriter[str] | None = None
        for line in lines:
            if table is None:
                table = csv.DictWriter(file, list(line), lineterminator="\n")
                table.writeheader()
            table.writerow({k: f"{v:.5f}" if isinstance(v, float) else v for k, v in line.items()})
    unfinished.replace(path)
    return path
