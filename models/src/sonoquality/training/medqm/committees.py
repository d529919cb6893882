"""What several networks a task bring over one, told by labels that committees of each size give."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

import numpy as np

from sonoquality import agreement
from sonoquality.arrays import Floats
from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import labels
from sonoquality.labelling.folds import HELD_BACK
from sonoquality.labelling.study import scales
from sonoquality.results.medqm_committees import Committees
from sonoquality.training.medqm import measure
from sonoquality.training.medqm.ceiling import tissue

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    members: tuple[int, ...]
    taus: Mapping[str, float]  #: median agreement, by split
    labels: Mapping[str, Floats]  #: of validation images, by case


def tried(
    found: Sequence[Diagnosed],
    left_out: Sequence[str],
    said: Mapping[str, Floats],
    tell: Progress,
) -> list[Committees]:
    """Return a line for each size of committee that every diagnostician has, and for all members.

    Args:
        found: all images, with the losses of each member.
        left_out: diagnosticians whose word does not count.
        said: by case, some network's quality of every copy of validation images.
        tell: is told how many committees are done, of how many.

    Returns:
        Nothing where some diagnostician has no second member.
    """
    sizes = _sizes(found, left_out)
    least, most = min(sizes.values()), max(sizes.values())
    if least == 1:
        return []
    every = [who for size in range(1, least + 1) for who in combinations(range(least), size)]
    if most > least:
        every.append(tuple(range(most)))
    made = []
    for number, members in enumerate(every, start=1):
        made.append(_try(members, [each.heard(members) for each in found], left_out))
        tell("committees", number, len(every))
    shown = {each.case.name: tissue(each.copies) for each in found}
    network = {name: own[shown[name]] for name, own in said.items()}
    return list(_lines(made, sizes, network))


def _sizes(found: Sequence[Diagnosed], left_out: Sequence[str]) -> dict[str, int]:
    """Return how many judge, by the name of the diagnostician."""
    sizes: dict[str, int] = {}
    for each in found:
        for name, losses in each.by_member.items():
            if name not in left_out:
                sizes[name] = max(sizes.get(name, 0), len(losses))
    return sizes


def _try(members: tuple[int, ...], found: Sequence[Diagnosed], left_out: Sequence[str]) -> _Tried:
    used = scales(found, left_out)
    agreed = list(measure.agreements(found, used))
    held_back = [each for each in found if each.case.fold == HELD_BACK]
    judged = {each.case.name: (labels(each, used), tissue(each.copies)) for each in held_back}
    return _Tried(
        members=members,
        taus={
            split: median(row.tau for row in agreed if row.split == split)
            for split in ("train", "val")
        },
        labels={name: own[0][kept] for name, (own, kept) in judged.items() if own is not None},
    )


def _lines(
    made: Sequence[_Tried], sizes: Mapping[str, int], said: Mapping[str, Floats]
) -> Iterator[Committees]:
    common = sorted(set.intersection(*(set(each.labels) for each in made)) & set(said))
    joined = {each.members: np.concatenate([each.labels[name] for name in common]) for each in made}
    network = np.concatenate([said[name] for name in common])
    for size in sorted({len(each.members) for each in made}):
        own = [each for each in made if len(each.members) == size]
        apart = [
            agreement.srcc(joined[first.members], joined[second.members])
            for first, second in combinations(own, 2)
            if not set(first.members) & set(second.members)
        ]
        yield Committees(
            members=_named(size, sizes),
            n_committees=len(own),
            tau_train=fmean(each.taus["train"] for each in own),
            tau_val=fmean(each.taus["val"] for each in own),
            srcc=fmean(agreement.srcc(network, joined[each.members]) for each in own),
            plcc=fmean(agreement.plcc(network, joined[each.members]) for each in own),
            likeness=fmean(apart) if apart else 0.0,
        )


def _named(size: int, sizes: Mapping[str, int]) -> str:
    """Say how many sit in each; where some have fewer, who has as many."""
    least = min(sizes.values())
    if size <= least:
        return str(size)
    larger = sorted({name.split("-")[0] for name, own in sizes.items() if own > least})
    return f"{least}; {size} of {' and '.join(larger)}"
