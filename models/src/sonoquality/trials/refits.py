"""Leave-one-source-out: how a score does on a source that neither fit nor ranking has seen.

The encoder did see it, unless it was trained without; the page says which. A source without
validation images (one group only) is cross-fitted: its images are halved, and each half is judged
by a fit that has the other half alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sonoquality.arrays import Luma, Mask
from sonoquality.metrics.experts import ExpertManifold, Features
from sonoquality.metrics.ranker import Ranker
from sonoquality.training.data import Row, allowed, calibrates, training_rows
from sonoquality.training.experts import (
    Encoder,
    ExpertsRecipe,
    fit_experts,
    gather,
    joined,
    scorer,
)
from sonoquality.training.rankings import Rankings
from sonoquality.trials import table
from sonoquality.trials.judges import Judge
from sonoquality.trials.pictures import Spoiled, spread
from sonoquality.trials.table import Progress

SEEN, UNSEEN = "seen", "unseen"
N_FOLDS = 2
Keeps = Callable[[Row], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refits:
    """Fits of one recipe on parts of the training rows."""

    encoder: Encoder
    recipe: ExpertsRecipe
    rankings: Rankings
    rows: Sequence[Row]
    parts: Sequence[Features]  #: of each row

    @classmethod
    def gather(
        cls,
        encoder: Encoder,
        recipe: ExpertsRecipe,
        rankings: Rankings,
        rows: Sequence[Row],
        progress: Progress,
    ) -> "Refits":
        """Measure the training rows once.

        Raises:
            ForbiddenDataError: a row may not be learned from.
        """
        fitting = [row for row in allowed(training_rows(rows)) if not calibrates(row)]
        return cls(
            encoder=encoder,
            recipe=recipe.model_copy(update={"block": {}}),
            rankings=rankings,
            rows=fitting,
            parts=gather(encoder, fitting, len(fitting), progress),
        )

    def fit(self, keeps: Keeps, ranker: Ranker) -> ExpertManifold:
        """Fit on the rows that are kept."""
        kept = [part for row, part in zip(self.rows, self.parts, strict=True) if keeps(row)]
        return fit_experts(joined(kept), self.encoder, self.recipe, ranker)

    def judge(self, seen: ExpertManifold, unseen: ExpertManifold) -> Judge:
        """Return the judge that asks both; ranks, higher is better."""
        score = scorer(self.encoder, (seen, unseen), self.recipe)

        def judge(luma: Luma, mask: Mask) -> Mapping[str, float]:
            (first, second), _ = score(luma, mask)
            return {SEEN: -first, UNSEEN: -second}

        return judge


def run(path: Path, refits: Refits, rows: Sequence[Row], per_source: int, told: Progress) -> None:
    """Judge the ladders of every source by a fit with and one without it, into one table."""
    whole = refits.fit(lambda _: True, refits.rankings.all)
    validation = spread([row for row in rows if row.split == "val"], per_source)
    for source in sorted({row.source for row in refits.rows}):
        without = refits.rankings.without[source]
        unseen = refits.fit(partial(_elsewhere, source), without)
        own = [row for row in validation if row.source == source]
        if own:
            shown = [Spoiled(row=row) for row in own]
            table.run(path, shown, refits.judge(whole, unseen), told)
            continue
        mine = spread([row for row in refits.rows if row.source == source], per_source)
        for fold in range(N_FOLDS):
            crossed = refits.fit(partial(_outside, source, fold), without)
            shown = [Spoiled(row=row) for row in mine if _fold(row) == fold]
            table.run(path, shown, refits.judge(crossed, unseen), told)


def _elsewhere(source: str, row: Row) -> bool:
    return row.source != source


def _outside(source: str, fold: int, row: Row) -> bool:
    return row.source != source or _fold(row) != fold


def _fold(row: Row) -> int:
    return row.seed % N_FOLDS
