"""One run of MedQM-D in one folder: which images, who judges them, where everything lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from sonoquality.labelling import diagnosing, excess, frame, spoiled
from sonoquality.labelling.cases import Case, all_cases, sampled
from sonoquality.labelling.config import DiagnosticianConfig
from sonoquality.labelling.diagnosing import Committee, Diagnosed, Diagnostician, Trained
from sonoquality.labelling.excess import Scale
from sonoquality.labelling.folds import HELD_BACK, N_FOLDS
from sonoquality.labelling.learning import size_of, train
from sonoquality.labelling.tasks import TASKS

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A run.

    Args:
        data: folder of the collection.
        run: folder of everything that is made.
        most: training images of a source; a fifth as many for validation.
        n_ladders: operators that a training image is put under; a validation image, twice as many.
    """

    data: Path
    run: Path
    most: int = 120
    n_ladders: int = 3

    @property
    def pictures(self) -> Path:
        """Folder of the copies."""
        return self.run / "pictures"

    @property
    def losses(self) -> Path:
        """Folder of what copies cost."""
        return self.run / "losses"

    @property
    def features(self) -> Path:
        """Folder of what the encoder says of copies."""
        return self.run / "features"

    def cases(self) -> list[Case]:
        """Return the images that are judged."""
        kept, n_val = [], dict.fromkeys((case.row.source for case in all_cases(self.data)), 0)
        for case in sampled(all_cases(self.data), self.most):
            n_val[case.row.source] += case.fold == HELD_BACK
            if case.fold != HELD_BACK or n_val[case.row.source] <= self.most // 5:
                kept.append(case)
        return kept

    def small(self) -> list[Committee[Trained]]:
        """Return the small diagnosticians, as many of each as have learned."""
        run = self.run / "diagnosticians"
        sizes = [(task, max(1, size_of(run, task))) for task in TASKS]
        return [Committee([Trained(task, run, n) for n in range(size)]) for task, size in sizes]

    def spoil(self, tell: Progress) -> None:
        """Write the copies."""
        spoiled.write_all(self.cases(), self.n_ladders, self.pictures, tell)

    def teach(self, config: DiagnosticianConfig, tell: Progress) -> None:
        """Train every small diagnostician for every fold, and for the validation images."""
        every, run = all_cases(self.data), self.run / "diagnosticians"
        for task in TASKS:
            members = range(config.n_members.get(task.kind, 1))
            for member, fold in product(members, (*range(N_FOLDS), HELD_BACK)):
                train(config, task, every, fold, run=run, progress=tell, member=member)

    def diagnose(self, who: Sequence[Diagnostician], tell: Progress) -> None:
        """Write what every copy costs each of `who`."""
        diagnosing.diagnose(self.cases(), self.pictures, who, self.losses, tell)

    def diagnosed(self) -> list[Diagnosed]:
        """Read what everybody who judged found."""
        names = sorted({path.name.split(".")[1] for path in self.losses.glob("*.npy")})
        return diagnosing.diagnosed(self.cases(), self.pictures, self.losses, names)

    def frame_checks(self, tell: Progress) -> list[frame.FrameCheck]:
        """Let every small diagnostician answer on speckle, about training images."""
        own = [case for case in self.cases() if case.fold != HELD_BACK]
        return [frame.check(who.members, own, self.pictures, tell) for who in self.small()]


def scales(found: Sequence[Diagnosed], dropped: Sequence[str] = ()) -> dict[str, Scale]:
    """Return the scales of all who judged, without those that are dropped."""
    names = sorted({name for each in found for name in each.losses} - set(dropped))
    return {name: excess.scale_of(name, found) for name in names}


def usable(scales_of: dict[str, Scale]) -> dict[str, Scale]:
    """Return those whose anchors lie clearly apart."""
    return {name: scale for name, scale in scales_of.items() if scale.usable}
