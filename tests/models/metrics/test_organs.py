"""Organs share one mixture: what each holds of it, and which a picture most likely shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.arrays import Floats
from sonoquality.errors import UnknownOrganError
from sonoquality.metrics import experts_file
from sonoquality.metrics.organs import Organs
from sonoquality.training.mixture import FitRecipe, fit_manifold
from tests.models import experts

PLACES = {"heart": -6.0, "liver": 0.0, "nerve": 6.0}
RECIPE = FitRecipe(components=(6,), trim=0.0, rounds=0)


def windows(name: str, n: int, seed: int) -> Floats:
    """Return features (n, 5) of an organ: its own place, its own spread."""
    rng = np.random.default_rng(seed)
    found: Floats = rng.normal(0.0, 1.0, (n, 5))
    found[:, 0] += PLACES[name]
    return found


@pytest.fixture(scope="module")
def fitted() -> tuple[Organs, object]:
    """A mixture of three organs, and how they share it."""
    features = np.concatenate([windows(name, 300, i) for i, name in enumerate(PLACES)])
    mixture = fit_manifold(features, RECIPE)
    return Organs.of(mixture, features, [name for name in PLACES for _ in range(300)]), mixture


def test_the_organ_of_clean_windows_is_told(fitted: tuple[Organs, object]) -> None:
    """Each organ's new windows go to it; chances add up to one."""
    organs, mixture = fitted
    for name in PLACES:
        told = organs.posterior(mixture, windows(name, 6, 99))  # type: ignore[arg-type]
        assert max(told, key=told.__getitem__) == name
        assert sum(told.values()) == pytest.approx(1.0)


def test_one_stray_window_does_not_change_the_organ(fitted: tuple[Organs, object]) -> None:
    """The median window counts."""
    organs, mixture = fitted
    seen = np.concatenate([windows("liver", 4, 7), windows("heart", 1, 7) * 30.0])
    told = organs.posterior(mixture, seen)  # type: ignore[arg-type]

    assert max(told, key=told.__getitem__) == "liver"


def test_a_known_organ_makes_the_others_strange(fitted: tuple[Organs, object]) -> None:
    """By the mixture of the heart a heart is clean and a nerve is not; each has its own scale."""
    organs, mixture = fitted
    heart = organs.mixture(mixture, "heart")  # type: ignore[arg-type]

    assert abs(np.median(heart.badness(windows("heart", 300, 50)))) < 0.3
    assert np.median(heart.badness(windows("nerve", 300, 50))) > 3.0


def test_an_unknown_organ_is_refused_with_those_that_are_known(
    fitted: tuple[Organs, object],
) -> None:
    """The message lists them and says what else can be done."""
    with pytest.raises(UnknownOrganError, match=r"heart, liver, nerve.*fit --images"):
        fitted[0].place("spleen")
    with pytest.raises(UnknownOrganError, match="leave the organ out"):
        experts.manifold().for_organ("heart")


def test_organs_survive_the_file_of_their_manifold(tmp_path: Path) -> None:
    """Posterior and scores by one organ are the same after reading."""
    manifold = experts.manifold(components=2)
    found = experts.features(*experts.windows(12, seed=6))
    mixture = manifold.shared_mixture()
    assert mixture is not None
    organs = Organs.of(mixture, found.dct, ["heart", "liver"] * 6)
    experts_file.save(tmp_path / "m.npz", replace(manifold, organs=organs))
    read = experts_file.load(tmp_path / "m.npz")
    known = replace(manifold, organs=organs).for_organ("liver")

    assert read.organ_posterior(found.dct) == replace(manifold, organs=organs).organ_posterior(
        found.dct
    )
    assert np.array_equal(known.badness(found), read.for_organ("liver").badness(found))
    assert not np.allclose(known.badness(found), manifold.badness(found))
