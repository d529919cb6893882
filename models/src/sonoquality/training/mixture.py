"""Expectation maximisation for a small Gaussian mixture, and the fit of a manifold with it."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from sonoquality.arrays import Floats
from sonoquality.errors import QualityError
from sonoquality.metrics.manifold import Manifold

#: Added to every covariance, in parts of the data's mean variance: no component may collapse.
RIDGE = 0.02
#: A component lighter than this covers outliers of the clean set and is dropped.
LIGHTEST = 0.02
#: With fewer there is no direction besides the one that is kept.
LEAST_VECTORS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Gaussians with full covariance."""

    weights: Floats  #: (K,)
    means: Floats  #: (K, d)
    whiteners: Floats  #: (K, d, d)

    def log_parts(self, u: Floats) -> Floats:
        """Return (n, K): log of weight times density."""
        d = u.shape[1]
        logs = np.empty((len(u), len(self.weights)))
        for k, whitener in enumerate(self.whiteners):
            white = (u - self.means[k]) @ whitener.T
            log_det = np.log(np.diagonal(whitener)).sum()
            logs[:, k] = np.log(self.weights[k]) + log_det - 0.5 * (white**2).sum(axis=1)
        parts: Floats = logs - 0.5 * d * np.log(2.0 * np.pi)
        return parts

    def log_density(self, u: Floats) -> Floats:
        """Return (n,)."""
        logs = self.log_parts(u)
        peak = logs.max(axis=1, keepdims=True)
        density: Floats = peak[:, 0] + np.log(np.exp(logs - peak).sum(axis=1))
        return density


def fit_mixture(
    u: Floats, n_components: int, rng: np.random.Generator, *, steps: int = 60, ridge: float = RIDGE
) -> Mixture:
    """Fit by expectation maximisation from k-means seeds; light components are dropped."""
    floor = ridge * float(u.var(axis=0).mean())
    parts = _seed_parts(u, n_components, rng)
    mixture = _maximise(u, parts, floor)
    for _ in range(steps if n_components > 1 else 0):
        logs = mixture.log_parts(u)
        parts = np.exp(logs - logs.max(axis=1, keepdims=True))
        parts /= parts.sum(axis=1, keepdims=True)
        heavy = parts.mean(axis=0) >= LIGHTEST
        parts = parts[:, heavy] + 1e-9
        parts /= parts.sum(axis=1, keepdims=True)
        mixture = _maximise(u, parts, floor)
    return mixture


def information_criterion(mixture: Mixture, u: Floats) -> float:
    """Return the Bayesian information criterion; lower is better."""
    k, d = mixture.means.shape
    n_free = k - 1 + k * d + k * d * (d + 1) / 2
    return float(-2.0 * mixture.log_density(u).sum() + n_free * np.log(len(u)))


def _seed_parts(u: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Return hard assignments (n, k) after a few k-means rounds from k-means++ seeds."""
    centres = u[rng.integers(len(u))][None]
    while len(centres) < k:
        near = _squared_distances(u, centres).min(axis=1)
        centres = np.vstack([centres, u[rng.choice(len(u), p=near / near.sum())]])
    for _ in range(20):
        parts = np.eye(k)[_squared_distances(u, centres).argmin(axis=1)]
        centres = (parts.T @ u) / np.maximum(parts.sum(axis=0), 1.0)[:, None]
    soft: Floats = parts + 1e-6
    return soft


def _squared_distances(u: Floats, centres: Floats) -> Floats:
    distances: Floats = ((u[:, None, :] - centres[None]) ** 2).sum(axis=2)
    return distances


def _maximise(u: Floats, parts: Floats, floor: float) -> Mixture:
    totals = parts.sum(axis=0)
    means = (parts.T @ u) / totals[:, None]
    whiteners = np.empty((len(totals), u.shape[1], u.shape[1]))
    for k, total in enumerate(totals):
        rest = u - means[k]
        covariance = (rest * parts[:, k : k + 1]).T @ rest / total
        lower = linalg.cholesky(covariance + floor * np.eye(u.shape[1]), lower=True)
        whiteners[k] = linalg.solve_triangular(lower, np.eye(u.shape[1]), lower=True)
    return Mixture(weights=totals / totals.sum(), means=means, whiteners=whiteners)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRecipe:
    """The choices of a fit; what ships was chosen on the validation split."""

    variance_kept: float = 0.999
    components: tuple[int, ...] = (1,)
    trim: float = 0.05  #: share of least likely vectors left out of the refits
    rounds: int = 2  #: refits after trimming
    seed: int = 2026


def fit_manifold(features: Floats, recipe: FitRecipe) -> Manifold:
    """Fit a manifold to clean features (n, D); the same features give the same numbers.

    Raises:
        QualityError: the clean vectors are too few for the variance to be kept.
    """
    keep = np.ones(len(features), dtype=np.bool_)
    manifold = _fit_once(features, recipe)
    for _ in range(recipe.rounds):
        energy = manifold.energy(features)
        keep = energy <= np.quantile(energy, 1.0 - recipe.trim)
        manifold = _fit_once(features[keep], recipe)
    return manifold


def _fit_once(features: Floats, recipe: FitRecipe) -> Manifold:
    if len(features) < LEAST_VECTORS:
        raise _too_few(len(features), recipe)
    centre = np.median(features, axis=0)
    low, high = np.quantile(features, [0.05, 0.95], axis=0)
    spread = np.maximum((high - low) / 3.29, 1e-3)
    z = (features - centre) / spread
    mean = z.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(z, rowvar=False))
    values, vectors = values[::-1], vectors[:, ::-1]
    d = 1 + int(np.searchsorted(np.cumsum(values) / values.sum(), recipe.variance_kept))
    d = min(d, features.shape[1] - 1)
    if d >= len(features) - 1:
        raise _too_few(len(features), recipe)
    u = (z - mean) @ vectors[:, :d]
    rng = np.random.default_rng(recipe.seed)
    mixtures = [fit_mixture(u, k, rng) for k in recipe.components]
    best = min(mixtures, key=lambda m: information_criterion(m, u))
    manifold = Manifold(
        centre=centre,
        spread=spread,
        mean=mean,
        basis=np.ascontiguousarray(vectors[:, :d].T),
        residual=np.asarray(values[d:].mean()),
        weights=best.weights,
        means=best.means,
        whiteners=best.whiteners,
        median=np.asarray(0.0),
        mad=np.asarray(1.0),
    )
    return _with_scale(manifold, manifold.energy(features))


def _with_scale(manifold: Manifold, energy: Floats) -> Manifold:
    median = np.median(energy)
    mad = 1.4826 * np.median(np.abs(energy - median))
    return replace(manifold, median=np.asarray(median), mad=np.asarray(mad))


def _too_few(count: int, recipe: FitRecipe) -> QualityError:
    """So few vectors leave nothing outside of the subspace, or nothing at all."""
    return QualityError(
        f"{count} windows of clean images are too few to keep {recipe.variance_kept:.1%} of their "
        "variance and know what the rest looks like. Give more clean images: hundreds to be of use."
    )
