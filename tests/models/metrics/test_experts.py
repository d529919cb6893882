"""Experts: what each looks at, how their energies are put together, and their file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from sonoquality.errors import ManifoldError
from sonoquality.metrics import experts_file
from sonoquality.metrics.experts import View, block_values, window_values
from sonoquality.metrics.experts_file import tensors_of, view_of
from sonoquality.metrics.manifold import Manifold
from sonoquality.metrics.ranker import Ranker
from sonoquality.metrics.reader import Reader, log_distance
from tests.models import experts


def test_badness_is_the_weighted_mean_of_robust_deviations() -> None:
    """Written out once more: of windows plainly, of blocks by asinh; masked blocks say 0."""
    fitted = experts.manifold()
    found = experts.features(*experts.windows(3, seed=9))
    dct, taps, distance, rank = fitted.window
    assert isinstance(dct.model, Manifold)
    assert isinstance(taps.model, Manifold)
    assert isinstance(rank.model, Ranker)
    unit = found.taps[:, 1] / np.linalg.norm(found.taps[:, 1], axis=1, keepdims=True)
    away = np.log(((found.taps[:, 1] - fitted.reader.centre) ** 2).mean(axis=1) + 1e-3)
    both = np.concatenate([found.dct, found.read], axis=1)
    wanted = (
        1.0 * (dct.model.energy(found.dct) - dct.median) / dct.mad
        + 0.5 * (taps.model.energy(unit) - taps.median) / taps.mad
        + 2.0 * (away - distance.median) / distance.mad
        + 0.7 * (rank.model.energy(both) - rank.median) / rank.mad
    ) / 4.2

    assert np.allclose(fitted.badness(found), wanted)
    blocks = fitted.block_badness(found)
    assert np.array_equal(blocks == 0, found.counts == 0)
    _, tokens, _ = fitted.block
    assert isinstance(tokens.model, Manifold)
    alone = replace(fitted, block=(tokens,)).block_badness(found)[0, 2, 3]
    energy = tokens.model.energy(found.tokens[0, 2, 3][None])[0]
    assert np.isclose(np.arcsinh((energy - tokens.median) / tokens.mad), alone)


def test_a_ranking_is_one_layer_over_bounded_deviations() -> None:
    """Unit by unit, as a loop; a unit below zero says nothing."""
    ranker = experts.ranker()
    values = np.random.default_rng(1).normal(0.0, 40.0, (4, 45))
    wanted = np.zeros(4)
    for row, x in enumerate(values):
        standard = [
            np.arcsinh((v - c) / s) for v, c, s in zip(x, ranker.centre, ranker.spread, strict=True)
        ]
        for unit in range(5):
            said = ranker.inner_bias[unit] + np.dot(standard, ranker.inner[:, unit])
            wanted[row] += max(said, 0.0) * ranker.outer[unit]

    assert np.allclose(wanted, ranker.energy(values))


def test_a_ranking_whose_parts_do_not_fit_is_refused() -> None:
    """Half a layer is no layer."""
    arrays = experts.ranker().arrays("all")
    arrays["all_outer"] = arrays["all_outer"][:-1]

    with pytest.raises(ValueError, match="outer do not fit the layer of 45 by 5"):
        Ranker.from_arrays(arrays, "all")


def test_the_distance_is_that_of_training() -> None:
    """Log of the mean squared distance from the centre, with the floor of training."""
    centre = np.array([1.0, -2.0])
    points = centre + np.array([[0.0, 0.0], [3.0, 4.0]])

    assert np.allclose(np.log([1e-3, 12.5 + 1e-3]), log_distance(points, centre))


def test_heads_read_distances_and_faults_of_a_window() -> None:
    """Token by token, as a loop: those outside the mask count for nothing."""
    reader, found = experts.reader(), experts.features(*experts.windows(2, seed=5))
    for n in range(2):
        tokens = found.tokens[n][found.counts[n] > 0]
        away = [np.mean((token - reader.centre) ** 2) + 1e-3 for token in tokens]
        wanted = [
            np.log(np.mean((found.taps[n, 1] - reader.centre) ** 2) + 1e-3),
            -0.5 * np.log(np.mean(np.array(away) ** -2)),
            np.log(np.mean(away)),
            0.25 * np.log(np.mean(np.array(away) ** 4)),
            *(found.taps[n, 1] @ reader.faults[:, k] + reader.fault_bias[k] for k in range(3)),
        ]

        assert np.allclose(wanted, found.read[n])
    assert reader.n_read == len(wanted)


def test_a_reader_without_faults_reads_the_distance_alone() -> None:
    """As rankings that were taught before heads were kept do."""
    found = experts.features(*experts.windows(2, seed=5))
    alone = Reader.of_distance(experts.reader().centre)

    assert np.array_equal(
        found.read[:, :1], alone.read(found.taps[:, 1], found.tokens, found.counts)
    )
    assert 1 == alone.n_read
    assert list(Reader.from_arrays(alone.arrays()).arrays()) == ["centre"]


def test_chosen_taps_have_length_one_each() -> None:
    """No tap rules by its size, and taps are chosen by the number of their block."""
    found = experts.features(*experts.windows(2))
    centre = np.zeros(experts.WIDTH)
    both = window_values(View(kind="taps", taps=(4, 2)), found, experts.TAPS)

    assert np.allclose(1.0, np.linalg.norm(both.reshape(2, 2, -1), axis=2))
    assert np.allclose(
        found.taps[:, 1] / np.linalg.norm(found.taps[:, 1], axis=1)[:, None],
        both[:, : experts.WIDTH],
    )
    assert (2 * 196, experts.WIDTH) == block_values(View(kind="tokens"), found, centre).shape


@pytest.mark.parametrize("components", [1, 2])
def test_folded_tensors_give_the_same_energy(components: int) -> None:
    """The matrices that a graph takes are the manifold; room that is not used weighs nothing."""
    fitted = experts.manifold(components=components)
    expert, values = fitted.window[0], experts.features(*experts.windows(3, seed=4)).dct
    t = {
        key.removeprefix("window_dct_"): value.astype(np.float64)
        for key, value in tensors_of(fitted).items()
        if key.startswith("window_dct_")
    }
    z = (values - t["centre"]) * t["scale"] - t["mean"]
    white = np.einsum("nd,kde->nke", z, t["white"]) - t["shift"]
    logs = t["offset"] - 0.5 * (white**2).sum(axis=2)
    energy = 0.5 * ((z @ t["off"]) ** 2).sum(axis=1) - special.logsumexp(logs, axis=1)

    assert components + 1 == len(t["offset"])
    assert np.allclose(expert.energy(values), energy, rtol=1e-4)


def test_a_manifold_survives_its_file(tmp_path: Path) -> None:
    """Scores are the same, and so are the bytes of a second writing."""
    fitted = experts.manifold()
    experts_file.save(tmp_path / "a.npz", fitted)
    read = experts_file.load(tmp_path / "a.npz")
    experts_file.save(tmp_path / "b.npz", read)
    found = experts.features(*experts.windows(2, seed=5))

    assert np.array_equal(fitted.badness(found), read.badness(found))
    assert np.array_equal(fitted.block_badness(found), read.block_badness(found))
    assert (experts.HASH, experts.TAPS) == (read.encoder_sha256, read.encoder_taps)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """Another `.npz`, pickled content, or no file: one error, which says what to do."""
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", x=np.array([{}], dtype=object))
    for name in ("other.npz", "pickle.npz", "absent.npz"):
        with pytest.raises(ManifoldError, match="fit one"):
            experts_file.load(tmp_path / name)


@pytest.mark.parametrize("name", ["taps", "dct_2", "tokens", "nothing"])
def test_windows_have_only_the_views_that_are_named(name: str) -> None:
    """The message lists them."""
    with pytest.raises(ValueError, match="dct, taps, distance"):
        view_of(name, "window")
