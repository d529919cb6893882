"""The windows of a step: the same whenever asked for, alike on all rungs of a ladder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoquality.training.data import Row, read_index, training_rows
from tests.conftest import need_extra
from tests.models.training.test_fit import collection

pytestmark = pytest.mark.train
bank = need_extra("sonoquality.training.encoder.bank", "train")
windows = need_extra("sonoquality.training.encoder.windows", "train")
RECIPE = bank.BankRecipe(n_rounds=2, second_share=0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Path]:
    """A bank of four phantoms."""
    folder = tmp_path_factory.mktemp("windows")
    rows = training_rows(read_index(collection(folder)))[:4]
    bank.build(rows, folder / "bank", RECIPE, lambda *_: None)
    return rows, folder / "bank"


def sampler(made: tuple[list[Row], Path], **changes: Any) -> Any:
    """Draw from the bank of phantoms."""
    return windows.Sampler(*made, RECIPE, **{"seed": 5, "gain_db": 3.0, **changes})


def test_a_step_gives_the_same_windows_whenever_asked(made: tuple[list[Row], Path]) -> None:
    """A new sampler, asked for step 3 first, gives what another gave after steps 0 to 2."""
    one, other = sampler(made), sampler(made)
    for step in range(3):
        one.batch(step, 2)
    first, second = one.batch(3, 2), other.batch(3, 2)

    assert (2, 3, 224, 224) == first.pixels.shape
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.inside, second.inside)
    assert not np.array_equal(first.pixels, sampler(made, seed=6).batch(3, 2).pixels)


def test_the_clean_rung_has_no_level_and_the_others_rise(made: tuple[list[Row], Path]) -> None:
    """One operator with its two levels, in parts of the highest."""
    levels = sampler(made).batch(0, 4).levels

    assert not levels[:, 0].any()
    assert np.all(levels[:, 2].max(axis=1) > levels[:, 1].max(axis=1))
    assert np.array_equal(np.ones((4, 2)), (levels[:, 1:] > 0).sum(axis=2))


def test_a_pass_shows_every_ladder_once(made: tuple[list[Row], Path]) -> None:
    """Four images in two rounds: eight ladders in as many draws, then again."""
    drawn = sampler(made)
    seen = [drawn._at(count) for count in range(16)]

    assert 8 == drawn.n_ladders
    assert 8 == len({(ladder.image, ladder.operator) for *_, ladder in seen[:8]})
    assert {(x.image, x.operator) for *_, x in seen[:8]} == {
        (x.image, x.operator) for *_, x in seen[8:]
    }


def test_a_source_can_be_left_out(made: tuple[list[Row], Path]) -> None:
    """With the phantoms' one source left out nothing is left."""
    assert 0 == sampler(made, without=("phantom",)).n_ladders


def test_jitter_leaves_what_lies_outside_the_scan(made: tuple[list[Row], Path]) -> None:
    """Black stays black, and the jitter shifts all rungs by as much."""
    still, moved = (sampler(made, gain_db=db).batch(1, 2) for db in (0.0, 3.0))
    inside = np.repeat(np.repeat(still.inside, 16, axis=1), 16, axis=2)[:, None]
    outside = np.broadcast_to(~inside, still.pixels.shape)

    assert np.array_equal(still.pixels[outside], moved.pixels[outside])
    assert np.abs(moved.pixels - still.pixels).max() <= 3 / 60 + 1e-6
    assert np.abs(moved.pixels - still.pixels).max() > 0
