"""The bank of degraded images: what it holds, and that it can be trusted."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sonoquality.training.data import ForbiddenDataError, read_index, training_rows
from sonoquality.training.held_out import HELD_OUT, NEVER_TRAINED
from tests.conftest import need_extra
from tests.models.training.test_fit import collection

pytestmark = pytest.mark.train
bank = need_extra("sonoquality.training.encoder.bank", "train")


def test_held_out_operators_are_never_trained_on() -> None:
    """Thirteen operators are left; the five named, overlays and the depth error are not among."""
    assert 5 == len(HELD_OUT)
    assert 13 == len(bank.TRAINED)
    assert not set(bank.TRAINED) & set(NEVER_TRAINED)


def test_every_image_meets_every_operator_once(tmp_path: Path) -> None:
    """Over as many rounds as there are operators; the lower level comes first."""
    rows = training_rows(read_index(collection(tmp_path)))
    recipe = bank.BankRecipe()
    rounds = [bank.ladders_of(rows, number, recipe) for number in range(recipe.n_rounds)]

    for place in range(len(rows)):
        assert set(bank.TRAINED) == {ladders[place].operator for ladders in rounds}
    every = [ladder for ladders in rounds for ladder in ladders]
    assert all(ladder.levels[0] < ladder.levels[1] for ladder in every)
    assert all(
        ladder.operator not in HELD_OUT and ladder.second not in HELD_OUT for ladder in every
    )
    assert any(ladder.second for ladder in every)


def test_a_round_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    """Same bytes twice, and pages give back what `degraded` made."""
    rows = training_rows(read_index(collection(tmp_path)))[:3]
    recipe = bank.BankRecipe(n_rounds=1)
    sums = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        for number in (-1, 0):
            bank.make_round((rows, number, folder, recipe))
        sums.append(hashlib.sha256((folder / "round_00.npy").read_bytes()).hexdigest())
    pages, clean = bank.Pages(tmp_path / "a", 0), bank.Pages(tmp_path / "a", -1)
    ladder = bank.ladders_of(rows, 0, recipe)[2]

    assert sums[0] == sums[1]
    assert 6 == len(pages) == len(clean)
    for rung, copy in enumerate(bank.degraded(rows[2], ladder)):
        assert np.array_equal(copy, pages[4 + rung])
    assert clean[4].shape == pages[4].shape == clean[5].shape
    assert {0, 1} >= set(np.unique(clean[5]))


def test_rows_that_may_not_be_learned_from_stop_a_bank(tmp_path: Path) -> None:
    """One row of another split, and nothing is made."""
    rows = [row for row in read_index(collection(tmp_path)) if not row.non_commercial]
    with pytest.raises(ForbiddenDataError):
        bank.build(rows, tmp_path / "bank", bank.BankRecipe(), lambda *_: None)
    assert not (tmp_path / "bank").exists()


def test_a_bank_of_other_images_is_not_taken(tmp_path: Path) -> None:
    """Neither fewer images nor another recipe."""
    rows = training_rows(read_index(collection(tmp_path)))
    folder, recipe = tmp_path / "bank", bank.BankRecipe(n_rounds=1)
    bank.build(rows[:2], folder, recipe, lambda *_: None)
    before = bank.identity(folder)
    bank.build(rows[:2], folder, recipe, lambda *_: None)

    assert before == bank.identity(folder)
    with pytest.raises(ValueError, match="another"):
        bank.build(rows[:3], folder, recipe, lambda *_: None)
    with pytest.raises(ValueError, match="another"):
        bank.build(rows[:2], folder, bank.BankRecipe(n_rounds=1, seed=1), lambda *_: None)
