"""The energy is a negative log density with the residual kept."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sonoquality.arrays import Floats
from sonoquality.errors import QualityError
from sonoquality.metrics import manifold as manifolds
from sonoquality.training.mixture import FitRecipe, fit_manifold, fit_mixture


def clean(n: int = 600) -> Floats:
    """Return correlated features that nearly lie in 3 of 6 dimensions."""
    rng = np.random.default_rng(7)
    found: Floats = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 6))
    return found + 0.05 * rng.normal(size=(n, 6))


def test_with_all_dimensions_kept_the_energy_is_that_of_a_gaussian() -> None:
    """SciPy's density of the same Gaussian agrees, up to the volume of the standardisation."""
    x = clean()
    recipe = FitRecipe(variance_kept=0.999, rounds=0)
    fitted = fit_manifold(x, recipe)
    z = (x - fitted.centre) / fitted.spread - fitted.mean
    u = z @ fitted.basis.T
    inverse = np.linalg.inv(fitted.whiteners[0])
    inside = stats.multivariate_normal(fitted.means[0], inverse @ inverse.T).logpdf(u)
    off = z - u @ fitted.basis
    dropped = 6 - len(fitted.basis)
    outside = (
        stats.norm(0, np.sqrt(fitted.residual)).logpdf(0) * dropped
        - 0.5 * (off**2).sum(axis=1) / fitted.residual
    )

    assert np.allclose(fitted.energy(x), -inside - outside)


def test_leaving_the_subspace_costs_energy() -> None:
    """What PCA alone would not see is seen by the residual."""
    x = clean()
    fitted = fit_manifold(x, FitRecipe(variance_kept=0.9))
    _, _, rows = np.linalg.svd(fitted.basis)
    off = x + 2.0 * rows[-1] * fitted.spread

    assert np.median(fitted.badness(off)) > np.median(fitted.badness(x)) + 5.0


def test_outliers_in_the_clean_set_are_trimmed() -> None:
    """A few spoiled vectors do not become clean."""
    x = clean()
    x[:12] += 40.0
    fitted = fit_manifold(x, FitRecipe(variance_kept=0.9))

    assert fitted.badness(x[:12]).min() > np.quantile(fitted.badness(x[12:]), 0.99)


def test_a_fit_gives_the_same_numbers_again() -> None:
    """The seed is part of the recipe."""
    recipe = FitRecipe(components=(1, 2, 4))

    first, second = fit_manifold(clean(), recipe), fit_manifold(clean(), recipe)

    assert np.array_equal(first.whiteners, second.whiteners)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("components", [(1,), (1, 2)])
def test_too_few_clean_vectors_are_refused(n: int, components: tuple[int, ...]) -> None:
    """The error names what there is and what to do, where the fit would end in nonsense."""
    with pytest.raises(QualityError, match=r"windows of clean images are too few .* Give more"):
        fit_manifold(clean(n), FitRecipe(components=components))


@pytest.mark.parametrize("n", [12, 24])
def test_few_clean_vectors_are_fitted_if_some_variance_is_left(n: int) -> None:
    """The bound itself holds: nothing in the fit fails above it."""
    fitted = fit_manifold(clean(n), FitRecipe(variance_kept=0.9, components=(1, 2)))

    assert np.isfinite(fitted.badness(clean())).all()


def test_two_clouds_are_found_as_two() -> None:
    """Expectation maximisation separates what lies apart, and drops what is lighter than 2 %."""
    rng = np.random.default_rng(0)
    u = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(12, 1, (100, 2))])

    mixture = fit_mixture(u, 2, np.random.default_rng(1))

    assert [0.25, 0.75] == pytest.approx(sorted(mixture.weights), abs=0.01)


def test_manifolds_survive_a_file_without_pickle(tmp_path: Path) -> None:
    """What is read is what was written."""
    fitted = fit_manifold(clean(), FitRecipe())
    manifolds.save(tmp_path / "m.npz", {"window": fitted})

    (found,) = manifolds.load(tmp_path / "m.npz", "window")

    assert np.array_equal(found.energy(clean()), fitted.energy(clean()))
