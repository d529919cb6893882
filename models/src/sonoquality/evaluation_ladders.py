"""Scores along the ladders of faults: how often they fall with the level, how well they tell it."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sonoquality import degrade
from sonoquality.agreement import Interval, auroc, bootstrap
from sonoquality.evaluation import SCORERS, Sample

NOT_COUNTED = degrade.NOT_COUNTED
MILD = ("G-", "G+", "TGC")  #: hardly matter at level 1 (SCIENCE 7.4), so not in its mean


class Ladders:
    """Ranks by fault, image and level, with the images as they are at level 0."""

    def __init__(self, clean: Sequence[Sample], spoiled: Sequence[Sample]) -> None:
        self.rows = list({sample.row.sha256: sample.row for sample in spoiled}.values())
        place = {row.sha256: index for index, row in enumerate(self.rows)}
        shape = (len(SCORERS), len(degrade.OPERATORS), len(self.rows), 6)
        self.ranks = np.full(shape, np.nan)
        operators = list(degrade.OPERATORS)
        for sample in spoiled:
            at = operators.index(sample.operator), place[sample.row.sha256], sample.level
            self.ranks[:, *at] = sample.ranks
        for sample in clean:
            if sample.row.sha256 in place:
                start = np.asarray(sample.ranks)[:, None]
                self.ranks[:, :, place[sample.row.sha256], 0] = start

    def counted(self, level: int | None = None) -> list[int]:
        """Operators that count in a mean."""
        left_out = set(NOT_COUNTED) | (set(MILD) if level == 1 else set())
        return [i for i, name in enumerate(degrade.OPERATORS) if name not in left_out]

    def in_order(self, scorer: int, operator: int, images: NDArray[np.intp]) -> float:
        """Share of adjacent steps that go down."""
        return float(np.mean(np.diff(self.ranks[scorer, operator, images], axis=1) < 0))

    def perfect(self, scorer: int, operator: int) -> float:
        """Share of ladders whose every step goes down."""
        return float(np.mean(np.all(np.diff(self.ranks[scorer, operator], axis=1) < 0, axis=1)))

    def detected(self, scorer: int, operator: int, level: int, images: NDArray[np.intp]) -> float:
        """AUROC of a level against the same images as they are, unpaired."""
        ranks = self.ranks[scorer, operator, images]
        return auroc(ranks[:, level], ranks[:, 0])

    def interval(self, number: Callable[[NDArray[np.intp]], float]) -> Interval:
        """Bootstrap a number over groups of images."""
        return bootstrap(number, [row.group for row in self.rows], n_resamples=300)

    def images(self, source: str | None = None) -> NDArray[np.intp]:
        """Indices of the images of a source."""
        chosen = [i for i, row in enumerate(self.rows) if source in (None, row.source)]
        return np.array(chosen, np.intp)

    def mean_in_order(self, scorer: int, images: NDArray[np.intp]) -> float:
        """Share of steps in order, over the operators that count."""
        return float(np.mean([self.in_order(scorer, each, images) for each in self.counted()]))

    def mean_detected(self, scorer: int, level: int, images: NDArray[np.intp]) -> float:
        """AUROC of a level, over the operators that count at it."""
        found = [self.detected(scorer, each, level, images) for each in self.counted(level)]
        return float(np.mean(found))
