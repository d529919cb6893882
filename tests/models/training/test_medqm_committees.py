"""What committees of each size bring, on losses that are written down with a member's own noise."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.training.medqm.committees import tried
from tests.models.labelling.test_excess import COPIES, EXCESS, NAMES, judged
from tests.models.training.test_medqm_ceiling import held_back

pytestmark = pytest.mark.train
NOISE = 0.25
SAID = -EXCESS


def with_members(each: Diagnosed, seed: int, sizes: dict[str, int]) -> Diagnosed:
    """Give every diagnostician members that err each by itself."""
    rng = np.random.default_rng(seed)
    every = {
        name: losses + NOISE * rng.random((sizes[name], *losses.shape))
        for name, losses in each.losses.items()
    }
    return replace(each, by_member=every)


def found(sizes: dict[str, int]) -> list[Diagnosed]:
    """Thirty training images and eight of validation."""
    return [
        *(with_members(judged(number, NAMES), number, sizes) for number in range(30)),
        *(with_members(held_back(number), number, sizes) for number in range(40, 48)),
    ]


def quiet(work: str, done: int, total: int) -> None:
    """Show nothing."""


def test_labels_by_more_are_told_better() -> None:
    """By one who knows the truth; single networks differ, and three alone can't be compared."""
    every = found(dict.fromkeys(NAMES, 3))
    said = {each.case.name: SAID for each in every[30:]}
    lines = tried(every, (), said, quiet)
    assert [(each.members, each.n_committees) for each in lines] == [("1", 3), ("2", 3), ("3", 1)]
    assert lines[0].srcc < lines[1].srcc < lines[2].srcc
    assert lines[0].plcc < lines[2].plcc
    assert lines[0].tau_val < lines[2].tau_val
    assert lines[0].tau_train < lines[2].tau_train
    assert 0 < lines[0].likeness < 1
    assert [each.likeness for each in lines[1:]] == [0, 0]


def test_a_larger_committee_of_some_is_named() -> None:
    """All that are there make one more line; who is left out does not count for the sizes."""
    sizes = {"outline-liver": 2, "disease-liver": 4, "organ": 2}
    every = found(sizes)
    said = {each.case.name: SAID for each in every[30:]}
    lines = tried(every, (), said, quiet)
    assert [each.members for each in lines] == ["1", "2", "2; 4 of disease"]
    assert lines[0].likeness > 0


def test_single_networks_are_no_committees() -> None:
    """There is nothing to compare."""
    every = found({"outline-liver": 1, "disease-liver": 4, "organ": 2})
    assert tried(every, (), {each.case.name: SAID for each in every[30:]}, quiet) == []


def test_speckle_alone_is_not_ranked() -> None:
    """What a network says of it changes nothing."""
    every = found(dict.fromkeys(NAMES, 2))
    blank = next(number for number, copy in enumerate(COPIES) if copy.kind == "blank")
    other = SAID.copy()
    other[blank] = 5
    first, second = (
        tried(every, (), {each.case.name: said for each in every[30:]}, quiet)
        for said in (SAID, other)
    )
    assert first == second
