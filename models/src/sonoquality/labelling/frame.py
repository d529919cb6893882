"""Does a diagnostician read the frame instead of the tissue? It answers on speckle, to find out.

A scan filled with speckle holds its shape and nothing else. Whoever still answers better for the
right image than for another one drawn by lot knows something that is not in the tissue, and its
losses say little about quality: it is dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sonoquality.labelling import spoiled
from sonoquality.labelling.cases import Case
from sonoquality.labelling.diagnosing import Trained
from sonoquality.labelling.tasks import Task

N_DRAWS = 400
CHANCE = 0.01  #: a diagnostician that does so well by chance this seldom is dropped
LEAST = 0.10  #: and only if it gains so much of what it gains on the clean images


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCheck:
    """What was found of one diagnostician."""

    name: str
    n_images: int
    clean: float  #: mean loss on clean images
    speckle: float  #: on speckle, held against each image's own truth
    by_lot: float  #: on speckle, held against the truths of other images
    p_value: float  #: how often lots do as well

    @property
    def share(self) -> float:
        """How much of what the clean image tells it, it still has on speckle."""
        return (self.by_lot - self.speckle) / max(self.by_lot - self.clean, 1e-9)

    @property
    def reads_the_frame(self) -> bool:
        """Whether it is dropped."""
        return self.p_value < CHANCE and self.share > LEAST


@torch.inference_mode()
def check(
    members: Sequence[Trained],
    cases: Sequence[Case],
    pictures: Path,
    tell: Callable[[str, int, int], None],
) -> FrameCheck:
    """Let a committee answer on speckle.

    Args:
        members: answer by networks that did not learn from the case.
        cases: images that they can judge; the others are passed over.
        pictures: folder of `spoiled.write_all`.
        tell: is told how many cases are done, of how many.
    """
    who = members[0]
    clean, answers, truths = [], [], []
    for number, case in enumerate(cases, start=1):
        tell(f"speckle, {who.name}", number, len(cases))
        if not who.has(case):
            continue
        scan = case.read()
        if not who.can_answer(scan):
            continue
        copies, shown = spoiled.read(pictures, case)
        last = [number for number, copy in enumerate(copies) if copy.kind == "blank"]
        said = torch.stack([each.answers(case, scan, shown[[0, *last]]) for each in members])
        truth = who.task.truth(case, scan)[None]
        clean.append(float(_costs(who.task, said[:, :1], truth)))
        answers.append(said[:, 1:2])
        truths.append(truth)
    said, true = torch.cat(answers, dim=1), torch.cat(truths)
    own = float(_costs(who.task, said, true).mean())
    rng = np.random.default_rng(0)
    lots = np.array([_lot(who.task, said, true, rng) for _ in range(N_DRAWS)])
    return FrameCheck(
        name=who.name,
        n_images=len(clean),
        clean=float(np.mean(clean)),
        speckle=own,
        by_lot=float(lots.mean()),
        p_value=float((1 + (lots <= own).sum()) / (1 + N_DRAWS)),
    )


def _costs(task: Task, answers: Tensor, truths: Tensor) -> Tensor:
    """Return (n,), the mean over members of what answers (member, n, ...) are worth."""
    return torch.stack([task.loss(each, truths) for each in answers]).mean(dim=0)


def _lot(task: Task, said: Tensor, true: Tensor, rng: np.random.Generator) -> float:
    order = torch.from_numpy(rng.permutation(len(true)))
    return float(_costs(task, said, true[order]).mean())


def dropped(found: Sequence[FrameCheck]) -> tuple[str, ...]:
    """Return the names of those that read the frame."""
    return tuple(each.name for each in found if each.reads_the_frame)
