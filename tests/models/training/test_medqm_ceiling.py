"""What bounds any network that is to tell the labels, on labels that are written down."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality.errors import QualityError
from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.study import Study
from sonoquality.training.medqm import ceiling
from sonoquality.training.medqm.config import MedqmConfig
from sonoquality.training.medqm.study import MedqmStudy
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


def nothing_read() -> MedqmStudy:
    """A study whose folders hold nothing."""
    nowhere = Path("nowhere")
    labelled = Study(data=nowhere, run=nowhere)
    return MedqmStudy(labelled, nowhere, nowhere, MedqmConfig(), lambda *_: None)


@pytest.mark.parametrize(
    ("found", "split"),
    [([*FOUND, *VALIDATION], ""), (FOUND, "validation"), (VALIDATION, "training")],
)
def test_a_run_that_labels_nothing_is_refused(found: list[Diagnosed], split: str) -> None:
    """Before anything is learned from it; the command says whose word did not count, and why."""
    study = nothing_read()
    vars(study).update(found=found, all_scales=SCALES, why_not={})
    if not split:
        assert study.used == SCALES
        return
    with pytest.raises(QualityError, match=f"No {split} image"):
        _ = study.used


def test_too_few_kinds_label_nothing() -> None:
    """Of three kinds one reads the frame."""
    study = nothing_read()
    why_not = {name: "it reads the frame" for name in SCALES if name.startswith("outline")}
    vars(study).update(found=[*FOUND, *VALIDATION], all_scales=SCALES, why_not=why_not)
    with pytest.raises(QualityError, match=r"outline.*: it reads the frame"):
        _ = study.used
