"""A fit of experts: what the recipe may name, and what a site's images are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality.arrays import Luma
from sonoquality.errors import ManifoldError
from sonoquality.metrics.experts import Features
from sonoquality.training import site
from sonoquality.training.experts import (
    Encoder,
    ExpertsRecipe,
    fit_experts,
    gather,
    heat_full,
    joined,
    read_recipe,
)
from tests.conftest import ROOT
from tests.models import experts

RECIPE = ExpertsRecipe(window={"dct": 1.0, "taps_4": 2.0, "distance": 1.0}, variance_kept=0.97)


def encoder() -> Encoder:
    """Return the stand-in, with heads of its own."""
    return Encoder(
        sha256=experts.HASH,
        taps=experts.TAPS,
        reader=experts.reader(),
        encode=experts.encode,
    )


def read(path: Path) -> Luma:
    """Read a grey picture."""
    return np.asarray(Image.open(path).convert("L"))


def pictures(folder: Path, n: int) -> list[site.Picture]:
    """Write n grainy pictures, one of them twice."""
    rng = np.random.default_rng(0)
    for k in range(n):
        grain = rng.uniform(60, 180, (30, 30)).repeat(8, axis=0).repeat(8, axis=1)
        grain = grain + rng.normal(0, 6, grain.shape)
        Image.fromarray(grain.astype(np.uint8)).save(folder / f"{k}.png")
    (folder / "again.png").write_bytes((folder / "0.png").read_bytes())
    return site.pictures_of(list(folder.iterdir()), read)


def test_the_kept_recipe_is_the_default() -> None:
    """What the file says is what happens without it."""
    assert ExpertsRecipe() == read_recipe(ROOT / "models" / "recipes" / "nrq.toml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[window]\ntokens = 1.0", "dct, taps, distance"),
        ("[block]\ntaps_2 = 1.0", "dct, tokens, distance"),
        ("[window]\ndct = -1.0", "greater than 0"),
        ("[window]", "at least 1"),
        ("colour = 3", "colour"),
    ],
)
def test_a_recipe_that_can_not_be_meant_is_refused(text: str, why: str, tmp_path: Path) -> None:
    """The message says which key, and what it may be."""
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=why):
        read_recipe(tmp_path / "recipe.toml")


def test_each_picture_counts_once_and_keeps_its_seed(tmp_path: Path) -> None:
    """By content, wherever it lies."""
    found = pictures(tmp_path, 3)

    assert 3 == len({each.sha256 for each in found}) == len(found)
    assert [int(each.sha256[:8], 16) for each in found] == [each.seed for each in found]


def test_clean_images_lie_at_zero_and_spoiled_ones_far_out(tmp_path: Path) -> None:
    """Half of the clean windows are worse than the median; blurred ones are worse than all."""
    found = pictures(tmp_path, 24)
    features = joined(gather(encoder(), found, len(found), lambda *_: None))
    fitted = fit_experts(features, encoder(), RECIPE)
    again = fit_experts(features, encoder(), RECIPE)
    pixels, masks = experts.windows(4, seed=3)
    flat = Features.of(pixels * 0.2, masks, experts.encode(pixels * 0.2, masks), experts.reader())

    clean = fitted.badness(features)
    assert abs(np.median(clean)) < 0.5
    assert fitted.badness(flat).min() > np.quantile(clean, 0.95)
    assert np.array_equal(clean, again.badness(features))
    assert 0.0 < heat_full(fitted, features) < 3.0


def test_a_tap_that_the_encoder_has_not_is_refused(tmp_path: Path) -> None:
    """The message names the taps there are."""
    features = experts.features(*experts.windows(6))
    other = RECIPE.model_copy(update={"window": {"taps_3": 1.0}})

    with pytest.raises(ManifoldError, match="no tap 3; the recipe may name 2, 4"):
        fit_experts(features, encoder(), other)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    """Before anything is loaded."""
    few = [replace(each) for each in pictures(tmp_path, 3)]

    with pytest.raises(ManifoldError, match="give 20 or more"):
        site.fit(tmp_path, few, "thyroid", tmp_path, lambda *_: None)
