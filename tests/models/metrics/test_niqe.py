"""Natural scene statistics and NIQE, against distributions whose parameters are known."""

from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from sonoquality import degrade
from sonoquality.metrics.baselines.natural import N_FEATURES, fit, normalise, patch_features
from sonoquality.metrics.baselines.niqe import NiqeModel, describe, niqe, shipped
from tests.models.phantoms import SCANS, tissue

MASK = SCANS["linear"]
GOLDEN = -8.5776  #: of the phantom, by the shipped fit


@pytest.mark.parametrize(
    ("shape", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 2.0), (0.6, 1, 3)]
)
def test_a_fit_finds_the_parameters_it_was_drawn_with(
    shape: float, left: float, right: float
) -> None:
    """Asymmetric generalised Gaussians, drawn side by side with the right shares."""
    rng = np.random.default_rng(0)
    n = 200_000
    size = stats.gennorm(shape).rvs(n, random_state=rng)
    is_left = rng.random(n) < left / (left + right)
    x = np.where(is_left, -np.abs(size) * left, np.abs(size) * right)[None]

    found = fit(x, np.ones_like(x, np.bool_))

    assert found.shape[0] == pytest.approx(shape, rel=0.05)
    assert found.left[0] == pytest.approx(left, rel=0.06)
    assert found.right[0] == pytest.approx(right, rel=0.06)
    mean = (right - left) * special.gamma(2 / shape) / special.gamma(1 / shape)
    assert found.mean[0] == pytest.approx(mean, abs=0.06)


def test_values_that_do_not_count_change_no_fit() -> None:
    """A patch at the rim of a fan is described by its inside alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4000))
    counts = np.arange(4000)[None] < 2000
    other = np.where(counts, x, 99.0)

    assert fit(x, counts) == fit(other, counts)


def test_coefficients_have_no_local_mean_and_the_same_spread_everywhere() -> None:
    """A dark and a bright half of the same grain become alike."""
    rng = np.random.default_rng(0)
    grain = rng.normal(size=(120, 160))
    image = (0.3 + 0.02 * grain).astype(np.float32)
    image[:, 80:] = 0.6 + 0.1 * grain[:, 80:]

    found = normalise(image, np.ones(image.shape, np.bool_))
    halves = found.coefficients[10:-10, 10:70], found.coefficients[10:-10, 90:150]

    assert abs(found.coefficients[found.mask].mean()) < 0.05
    assert halves[0].std() == pytest.approx(halves[1].std(), rel=0.15)
    assert N_FEATURES == patch_features(found, 48, 24).shape[1]


def test_the_distance_is_that_of_two_gaussians() -> None:
    """By hand in two dimensions: sqrt(d' ((A + B)/2)^-1 d)."""
    model = NiqeModel(np.zeros(2), np.diag([1.0, 4.0]), 1, 1)
    features = np.array([[3.0, 2.0], [3.0, 2.0]])

    assert model.distance(features) == pytest.approx(np.sqrt(9 / 0.5 + 4 / 2))


def test_a_saved_model_is_read_back(tmp_path: Path) -> None:
    """Without pickle."""
    model = NiqeModel(np.arange(3.0), np.eye(3), 5, 7)
    model.save(tmp_path / "niqe.npz")
    found = shipped(tmp_path / "niqe.npz")

    assert np.array_equal(model.mean, found.mean)
    assert np.array_equal(model.covariance, found.covariance)
    assert (5, 7) == (found.n_images, found.n_patches)


def test_the_shipped_model_is_small_and_whole() -> None:
    """36 numbers at two scales; a covariance."""
    model = shipped()

    assert (36,) == model.mean.shape
    assert np.linalg.eigvalsh(model.covariance).min() > -1e-6
    assert model.n_images > 1000


@pytest.mark.parametrize("fault", ["DEF", "SPK", "JPG", "RES"])
def test_faults_are_further_from_clean_the_worse_they_are(fault: str) -> None:
    """By a model of clean phantoms, for a phantom it has not seen."""
    features = np.concatenate([describe(tissue(MASK, seed), MASK) for seed in range(1, 13)])
    model = NiqeModel(features.mean(axis=0), np.cov(features, rowvar=False), 12, len(features))
    distances = [
        model.distance(describe(degrade.apply(fault, tissue(MASK), MASK, level, 1), MASK))
        for level in (0, 2, 4)
    ]

    assert all(np.diff(distances) > 0), distances


def test_niqe_says_what_it_said() -> None:
    """The score of a phantom, to notice a change of decoding, resampling or fit."""
    assert niqe(tissue(MASK), MASK) == pytest.approx(GOLDEN, abs=0.01)


@pytest.mark.parametrize("shape", [(40, 300), (97, 131), (500, 96)])
def test_any_size_is_described(shape: tuple[int, int]) -> None:
    """Padded to one patch, or cut to whole ones."""
    image = np.random.default_rng(0).random(shape, dtype=np.float32)

    assert 36 == describe(image, np.ones(shape, np.bool_)).shape[1]
