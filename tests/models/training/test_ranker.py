"""A ranking learns from ladders, leaves out what it is told to, and survives its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.errors import WeightsError
from sonoquality.metrics.reader import Reader
from sonoquality.training import ladder_features
from sonoquality.training.data import calibrates, read_index, training_rows
from sonoquality.training.experts import Encoder
from sonoquality.training.ladder_features import LadderFeatures
from sonoquality.training.rankings import Rankings
from tests.conftest import need_extra
from tests.models import experts
from tests.models.training.test_fit import collection

pytestmark = pytest.mark.train
need_extra("torch", "train")
N = 1500


def ladders(seed: int, *, n: int = N, told_by: int = 3) -> LadderFeatures:
    """Return ladders of which one feature tells, over an image's own level of it."""
    rng = np.random.default_rng(seed)
    bad = np.sort(rng.uniform(0.0, 1.0, (n, 3)), axis=1)
    bad[:, 0] = 0.0
    values = rng.normal(0.0, 1.0, (n, 3, 39))
    values[..., told_by] += 8.0 * bad
    return LadderFeatures(
        values=values.astype(np.float32),
        bad=bad.astype(np.float32),
        image=np.arange(n, dtype=np.int32) % 10,
        encoder_sha256="ab" * 32,
    )


def in_order(ranker: object, seen: LadderFeatures) -> float:
    """Share of ladders whose gravest window ranks beyond the clean one."""
    energy = ranker.energy(seen.values.reshape(-1, 39)).reshape(-1, 3)  # type: ignore[attr-defined]
    return float(np.mean(energy[:, 2] > energy[:, 0]))


def test_it_ranks_ladders_that_it_never_saw() -> None:
    """By the feature that tells, and not by the noise of the others; twice the same."""
    ranker = need_extra("sonoquality.training.ranker", "train")
    config = ranker.RankerConfig(n_hidden=8, n_passes=15, n_ladders=32)
    first, second = (ranker.train(ladders(1), config) for _ in range(2))

    assert in_order(first, ladders(2)) > 0.9
    assert np.array_equal(first.inner, second.inner)


def test_what_is_left_out_teaches_nothing() -> None:
    """Images of which another feature tells change the ranking only if they are seen."""
    ranker = need_extra("sonoquality.training.ranker", "train")
    config = ranker.RankerConfig(n_hidden=8, n_passes=15, n_ladders=32)
    other = ladders(5, told_by=20)
    both = replace(
        ladders(1),
        values=np.concatenate([ladders(1).values, other.values]),
        bad=np.concatenate([ladders(1).bad, other.bad]),
        image=np.concatenate([ladders(1).image, 10 + other.image]),
    )
    unseen = ladders(6, told_by=20)

    assert in_order(ranker.train(both, config), unseen) > 0.9
    assert in_order(ranker.train(both, config, without=range(10, 20)), unseen) < 0.7


def test_the_cost_falls_as_the_order_gets_right() -> None:
    """Right order costs less than none, and none less than the wrong one; equals cost nothing."""
    torch = need_extra("torch", "train")
    ranker = need_extra("sonoquality.training.ranker", "train")
    bad = torch.tensor([[0.0, 0.4, 0.8], [0.0, 0.2, 0.6]])
    said = [ranker.cost(sign * 9 * bad, bad, ranker.RankerConfig()) for sign in (1, 0, -1)]
    alone = ranker.RankerConfig(ladder_weight=0.0)

    assert said[0] < said[1] < said[2]
    assert 0 == ranker.cost(bad, torch.zeros(2, 3), alone)


def test_rankings_survive_their_file_and_none_are_refused(tmp_path: Path) -> None:
    """Every ranking comes back; a folder without them says which command makes them."""
    kept = Rankings(
        encoder_sha256="cd" * 32, all=experts.ranker(), without={"liver": experts.ranker(8)}
    )
    kept.save(tmp_path / "rankings.npz")
    found = Rankings.load(tmp_path)

    assert kept.encoder_sha256 == found.encoder_sha256
    assert np.array_equal(kept.all.inner, found.all.inner)
    assert np.array_equal(kept.without["liver"].outer, found.without["liver"].outer)
    with pytest.raises(WeightsError, match="train ranker"):
        Rankings.load(tmp_path / "elsewhere")


def test_ladders_of_a_bank_are_measured_on_all_rungs(tmp_path: Path) -> None:
    """One window a ladder, the same twice; clean is not bad, and the higher level is worse."""
    bank = need_extra("sonoquality.training.encoder.bank", "train")
    rows = training_rows(read_index(collection(tmp_path)))[:4]
    recipe = bank.BankRecipe(n_rounds=1, second_share=0.0)
    (tmp_path / "bank").mkdir()
    for number in (-1, 0):
        bank.make_round((rows, number, tmp_path / "bank", recipe))
    encoder = Encoder(
        sha256=experts.HASH,
        taps=experts.TAPS,
        reader=experts.reader(),
        encode=experts.encode,
    )
    first, second = (
        ladder_features.measure(
            encoder, rows, tmp_path / "bank", recipe, gain_db=3.0, progress=lambda *_: None
        )
        for _ in range(2)
    )

    assert (4, 3, 38 + experts.reader().n_read) == first.values.shape
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(np.arange(4), first.image)
    assert (first.bad[:, 0] == 0).all()
    assert (first.bad[:, 2] > first.bad[:, 1]).all()
    first.save(tmp_path / "kept.npz")
    kept = LadderFeatures.load(tmp_path / "kept.npz")
    assert np.array_equal(first.values, kept.values)
    assert experts.HASH == kept.encoder_sha256


def test_a_run_keeps_its_features_and_refuses_those_of_another_encoder(tmp_path: Path) -> None:
    """A second run measures nothing; of one source alone there is no ranking without it."""
    ranking = need_extra("sonoquality.training.ranking", "train")
    ranker = need_extra("sonoquality.training.ranker", "train")
    data = collection(tmp_path)
    out = tmp_path / "run"
    out.mkdir()
    rows = [row for row in training_rows(read_index(data)) if not calibrates(row)]
    replace(ladders(1), image=np.arange(N, dtype=np.int32) % len(rows)).save(out / "ladders.npz")
    encoder = Encoder(
        sha256="ab" * 32, taps=(1,), reader=Reader.of_distance(np.zeros(2)), encode=experts.encode
    )
    config = ranker.RankerConfig(n_hidden=4, n_passes=1)
    ranking.run(config, encoder, data, (out, tmp_path / "no-bank"), lambda *_: None)
    found = Rankings.load(out)

    assert {} == found.without
    assert not (tmp_path / "no-bank").exists()
    other = replace(encoder, sha256="ee" * 32)
    with pytest.raises(WeightsError, match="another encoder"):
        ranking.run(config, other, data, (out, tmp_path / "no-bank"), lambda *_: None)
