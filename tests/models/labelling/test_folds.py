"""Who must not judge whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from sonoquality.labelling.folds import HELD_BACK, N_FOLDS, fold_of
from sonoquality.training.data import Row

ROW = Row(
    path=Path("a.webp"),
    source="aul_liver",
    organ="liver",
    group="patient 1",
    split="train",
    licence="CC BY 4.0",
    non_commercial=False,
    quality_label="",
    sha256="ab" * 32,
)


def test_images_of_a_patient_lie_in_one_fold() -> None:
    """Whatever the image."""
    folds = {fold_of(replace(ROW, sha256=f"{number:02x}" * 32)) for number in range(40)}
    assert len(folds) == 1


def test_patients_fill_all_folds() -> None:
    """None is left empty."""
    folds = {fold_of(replace(ROW, group=f"patient {number}")) for number in range(80)}
    assert folds == set(range(N_FOLDS))


def test_a_source_without_patient_numbers_is_parted_by_image() -> None:
    """One group of all would leave nobody to judge it."""
    rows = [replace(ROW, group="busi_all", sha256=f"{number:02x}" * 32) for number in range(80)]
    assert {fold_of(row) for row in rows} == set(range(N_FOLDS))


def test_validation_images_belong_to_no_fold() -> None:
    """They are judged by who learned from all others."""
    assert fold_of(replace(ROW, split="val")) == HELD_BACK


@pytest.mark.parametrize("change", [{"non_commercial": True}, {"split": "eval"}])
def test_what_may_not_be_learned_from_is_refused(change: dict[str, object]) -> None:
    """Not even to be looked at."""
    with pytest.raises(ValueError, match="not for labelling"):
        fold_of(replace(ROW, **change))  # type: ignore[arg-type]  # the point of the test
