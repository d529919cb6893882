"""What each copy of an image costs each diagnostician, out of fold; a file of numbers a case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sonoquality.arrays import Floats
from sonoquality.labelling import spoiled
from sonoquality.labelling.cases import Case, Scan
from sonoquality.labelling.learning import folder_of, load
from sonoquality.labelling.spoiled import Copy, Greys
from sonoquality.labelling.tasks import Task

TRUTH, OWN = 0, 1  #: columns: loss against the truth; against the answer on the clean image
AT_ONCE = 64
Progress = Callable[[str, int, int], None]


class Diagnostician(Protocol):
    """Who answers on pictures; anything from a small network to a multimodal model."""

    @property
    def name(self) -> str:
        """Names it in label files, and what it works on: `kind-organ`, or `kind` alone."""

    @property
    def kind(self) -> str:
        """What sort it is; a label needs three sorts."""

    def has(self, case: Case) -> bool:
        """Tell whether it can answer on a case."""

    def can_answer(self, scan: Scan) -> bool:
        """Tell whether there is something to answer on in this very scan."""

    def losses(self, case: Case, scan: Scan, pictures: Greys) -> Floats:
        """Return (n, 2) of pictures (n, height, width), the first of them clean.

        Columns: loss against the truth, and against its own answer on the first. A committee
        returns (member, n, 2).
        """


Member = TypeVar("Member", bound=Diagnostician)


class Trained:
    """A task with its networks, one a fold; it answers by one that did not learn from the case.

    Args:
        task: its task.
        run: folder of all networks.
        member: which of its committee it is.
    """

    def __init__(self, task: Task, run: Path, member: int = 0) -> None:
        self.name, self.kind, self.task = task.name, task.kind, task
        self._network = lru_cache(maxsize=None)(
            lambda fold: load(folder_of(run, task, fold, member), task)
        )

    def has(self, case: Case) -> bool:
        """Tell whether its task can be set on a case."""
        return self.task.has(case)

    def can_answer(self, scan: Scan) -> bool:
        """Tell whether there is a target, where the task needs one: a normal breast has none."""
        return not self.task.sees_all or (scan.target is not None and bool(scan.target.any()))

    @torch.inference_mode()
    def answers(self, case: Case, scan: Scan, pictures: Greys) -> Tensor:
        """Return the outputs (n, ...): the mean of a look and a look in the mirror."""
        network: nn.Module = self._network(case.fold)
        seen = torch.from_numpy(self.task.see(pictures, scan.mask))
        parts = [
            (network(part) + self.task.unmirrored(network(part.flip(-1)))) / 2
            for part in torch.split(seen, AT_ONCE)
        ]
        return torch.cat(parts)

    def losses(self, case: Case, scan: Scan, pictures: Greys) -> Floats:
        """Return (n, 2), as `Diagnostician` says."""
        answers = self.answers(case, scan, pictures)
        truth = self.task.truth(case, scan)[None]
        own = self.task.own(answers[:1])
        columns = [
            self.task.loss(answers, each.expand(len(answers), *each.shape[1:]))
            for each in (truth, own)
        ]
        return np.asarray(torch.stack(columns, dim=1).double().numpy())


class Committee(Generic[Member]):
    """Diagnosticians of one name, alike but for how they began: what a copy costs is their mean.

    What a copy costs one small network is partly its own, and of several that part averages out.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self.name, self.kind = members[0].name, members[0].kind

    def has(self, case: Case) -> bool:
        """Tell whether a member can answer on a case."""
        return any(member.has(case) for member in self.members)

    def can_answer(self, scan: Scan) -> bool:
        """Tell whether members can answer on a scan."""
        return self.members[0].can_answer(scan)

    def losses(self, case: Case, scan: Scan, pictures: Greys) -> Floats:
        """Return (member, n, 2), of those who have the case; own answers are each one's own."""
        asked = [member for member in self.members if member.has(case)]
        return np.stack([member.losses(case, scan, pictures) for member in asked])


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """One case: its copies, and what they cost whom."""

    case: Case
    copies: Sequence[Copy]
    losses: Mapping[str, Floats]  #: by diagnostician, (n, 2); of a committee, the mean
    by_member: Mapping[str, Floats] = field(default_factory=dict)  #: the same, (member, n, 2)

    def heard(self, members: Sequence[int]) -> "Diagnosed":
        """Return it as if committees had these members alone, as far as they have them.

        A diagnostician that has none of them did not judge.
        """
        seats = {
            name: [member for member in members if member < len(every)]
            for name, every in self.by_member.items()
        }
        losses = {k: self.by_member[k][own].mean(axis=0) for k, own in seats.items() if own}
        return replace(self, losses=losses)


def diagnose(
    cases: Sequence[Case],
    pictures: Path,
    who: Sequence[Diagnostician],
    out: Path,
    progress: Progress,
) -> None:
    """Write the losses of each case by each diagnostician; what is there stays.

    Args:
        cases: whose copies `spoiled.write_all` made.
        pictures: its folder.
        who: the diagnosticians; more can be added to the same folder later.
        out: folder of `<case>.<diagnostician>.npy`.
        progress: is told how many cases are done, of how many.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases, start=1):
        wanted = [each for each in who if each.has(case) and not _file(out, case, each).exists()]
        scan = case.read() if wanted else None
        for each in wanted:
            if scan is None or not each.can_answer(scan):
                continue
            _, shown = spoiled.read(pictures, case)
            _write(_file(out, case, each), each.losses(case, scan, shown))
        progress("diagnosing", number, len(cases))


def diagnosed(
    cases: Sequence[Case], pictures: Path, out: Path, names: Sequence[str]
) -> list[Diagnosed]:
    """Read back what was written, of the diagnosticians that are named."""
    found = []
    for case in cases:
        paths = {name: out / f"{case.name}.{name}.npy" for name in names}
        kept = {name: _read(path) for name, path in paths.items() if path.exists()}
        if kept:
            copies, _ = spoiled.read(pictures, case)
            losses = {name: every.mean(axis=0) for name, every in kept.items()}
            found.append(Diagnosed(case=case, copies=copies, losses=losses, by_member=kept))
    return found


def _file(out: Path, case: Case, who: Diagnostician) -> Path:
    return out / f"{case.name}.{who.name}.npy"


def _read(path: Path) -> Floats:
    """Return (member, n, 2); one who is alone wrote (n, 2)."""
    losses: Floats = np.load(path)
    return losses.reshape(-1, *losses.shape[-2:])


def _write(path: Path, losses: Floats) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, losses)
    unfinished.replace(path)
