"""How well could anything tell the labels? What halves of the labels, and the faults, say."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sonoquality import agreement
from sonoquality.arrays import Floats
from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import Scale, kinds_of, labels
from sonoquality.labelling.folds import HELD_BACK
from sonoquality.labelling.spoiled import Copy
from sonoquality.results.medqm_rows import CeilingRow

HALVES, FAULT = "halves", "fault"
NO_MIXTURE = ("ladder", "clean", "jitter")


def halves(
    found: Sequence[Diagnosed], used: Mapping[str, Scale], said: Mapping[str, Floats]
) -> Iterator[CeilingRow]:
    """Yield how the label of some kinds ranks copies, beside that of the other kinds.

    Only the most even partings are taken: two and two of four kinds, one and two of three.

    Args:
        found: validation images.
        used: the scales of those whose word counts.
        said: by case, MedQM-I's quality of every copy.
    """
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[Diagnosed, Mapping[str, Floats]]]] = {}
    for each in found:
        by_kind = kinds_of(each, used)
        if labels(each, used) is not None:
            alike.setdefault((each.case.anatomy.organ, tuple(sorted(by_kind))), []).append(
                (each, by_kind)
            )
    for (organ, kinds), own in sorted(alike.items()):
        kept = [tissue(each.copies) for each, _ in own]
        network = np.concatenate(
            [said[e.case.name][k] for (e, _), k in zip(own, kept, strict=True)]
        )
        for first in combinations(kinds, len(kinds) // 2):
            if 2 * len(first) == len(kinds) and kinds[0] not in first:
                continue  # the same parting, the other way round
            rest = [kind for kind in kinds if kind not in first]
            a, b = (
                np.concatenate(
                    [
                        np.mean([by_kind[kind] for kind in half], axis=0)[k]
                        for (_, by_kind), k in zip(own, kept, strict=True)
                    ]
                )
                for half in (first, rest)
            )
            yield CeilingRow(
                what=HALVES,
                organ=organ,
                first=" ".join(first),
                second=" ".join(rest),
                n_images=len(own),
                n_copies=len(a),
                srcc=agreement.srcc(a, b),
                medqm=agreement.srcc(network, b),
            )


def told(
    found: Sequence[Diagnosed], used: Mapping[str, Scale], said: Mapping[str, Floats]
) -> CeilingRow:
    """Return how well one who is told fault, level and organ does, but does not see the image.

    He says the mean label of training images; only copies of taught operators count.

    Args:
        found: all images.
        used: the scales of those whose word counts.
        said: by case, MedQM-I's quality of every copy of validation images.
    """
    taught: dict[tuple[object, ...], list[float]] = {}
    judged = [(each, labels(each, used)) for each in found]
    for each, own in judged:
        if own is not None and each.case.fold != HELD_BACK:
            for copy, label in zip(each.copies, own[0], strict=True):
                taught.setdefault(_fault(each, copy), []).append(float(label))
    guessed, truth, network, images = [], [], [], set()
    for each, own in judged:
        if own is None or each.case.fold != HELD_BACK:
            continue
        for place, copy in enumerate(each.copies):
            mean = taught.get(_fault(each, copy))
            if copy.kind in NO_MIXTURE and mean is not None:
                guessed.append(float(np.mean(mean)))
                truth.append(own[0][place])
                network.append(said[each.case.name][place])
                images.add(each.case.name)
    return CeilingRow(
        what=FAULT,
        organ="",
        first="",
        second="",
        n_images=len(images),
        n_copies=len(truth),
        srcc=agreement.srcc(guessed, truth),
        medqm=agreement.srcc(network, truth),
    )


def tissue(copies: Sequence[Copy]) -> NDArray[np.bool_]:
    """Tell which copies show the image: all but speckle alone."""
    return np.array([copy.kind != "blank" for copy in copies])


def _fault(each: Diagnosed, copy: Copy) -> tuple[object, ...]:
    return each.case.anatomy.organ, copy.kind, *sorted(copy.faults.items())
