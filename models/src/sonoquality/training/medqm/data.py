"""Join what was extracted and what was labelled into examples."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import Scale, labels
from sonoquality.training.medqm import features
from sonoquality.training.medqm.examples import Example, levels_of


def examples(
    found: Sequence[Diagnosed],
    scales: Mapping[str, Scale],
    folder: Path,
    without: Iterable[str] = (),
) -> list[Example]:
    """Return one example a case.

    Args:
        found: cases with the losses of their copies.
        scales: of the diagnosticians that count.
        folder: of `features.extract`.
        without: kinds of diagnosticians whose word does not count.
    """
    left_out = tuple(without)
    made = []
    for each in found:
        own = labels(each, scales, left_out)
        made.append(
            Example(
                name=each.case.name,
                organ=each.case.anatomy.organ,
                features=features.load(folder, each.case),
                copies=each.copies,
                labels=None if own is None else own[0],
                levels=levels_of(each.copies),
            )
        )
    return made
