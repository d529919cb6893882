"""What bounds any network that is to tell the labels, on labels that are written down."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.training.medqm import ceiling
from tests.models.labelling.test_excess import COPIES, EXCESS, FOUND, NAMES, SCALES, judged

pytestmark = pytest.mark.train


def held_back(number: int, excess: np.ndarray = EXCESS) -> Diagnosed:
    """A validation image."""
    each = judged(number, NAMES, excess)
    row = replace(each.case.row, split="val", sha256=f"{number:02x}" * 32)
    return replace(each, case=replace(each.case, row=row))


VALIDATION = [held_back(number) for number in range(40, 44)]
BACKWARDS = {each.case.name: np.arange(len(COPIES), dtype=float) for each in VALIDATION}


def test_halves_that_agree_rank_each_other_and_a_bad_network_does_not() -> None:
    """Three kinds give three partings; speckle alone does not count."""
    found = list(ceiling.halves(VALIDATION, SCALES, BACKWARDS))
    assert [row.first for row in found] == ["disease", "organ", "outline"]
    assert all(row.n_copies == len(VALIDATION) * (len(COPIES) - 1) for row in found)
    assert min(row.srcc for row in found) > 0.99
    assert max(row.medqm for row in found) < 0


def test_one_who_is_told_the_fault_knows_it_from_training_images() -> None:
    """Where validation images suffer in the other order, what training images say is wrong."""
    told = ceiling.told([*FOUND, *VALIDATION], SCALES, BACKWARDS)
    assert told.n_images == len(VALIDATION)
    assert told.srcc > 0.9
    turned = EXCESS.copy()
    turned[1:6] = EXCESS[5:0:-1]
    others = [held_back(number, turned) for number in range(40, 44)]
    assert ceiling.told([*FOUND, *others], SCALES, BACKWARDS).srcc < 0.6
