"""Distances between two pictures of one scan; they need the [train] extra."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sonoquality import degrade
from sonoquality.cli import app
from sonoquality.metrics.baselines import registry
from tests.conftest import skip_or_fail
from tests.models.phantoms import SCANS, tissue

pytestmark = pytest.mark.train

EVERY = list(registry.FULL_REFERENCE)
MASK = SCANS["fan"]
IMAGE = tissue(MASK)


def brisque_package() -> Any:
    """The package, or a skip."""
    try:
        return import_module("brisque")
    except ImportError:
        skip_or_fail("the [brisque] extra is not installed (it needs a C++ compiler)")


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_is_at_no_distance_from_itself_and_distances_are_symmetric(name: str) -> None:
    """The least of all distances, and the same both ways."""
    distance = registry.full_reference(name)
    other = degrade.apply("SPK", IMAGE, MASK, 2, 1)
    least = -100.0 if name == "psnr" else 0.0

    assert distance(IMAGE, IMAGE, MASK) == pytest.approx(least, abs=1e-6)
    assert distance(IMAGE, other, MASK) > least
    assert distance(IMAGE, other, MASK) == pytest.approx(distance(other, IMAGE, MASK), abs=1e-5)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("fault", ["SPK", "DEF", "G-", "HAZ", "JPG", "CON"])
def test_distances_grow_along_a_ladder(name: str, fault: str) -> None:
    """More of a fault is further away."""
    distance = registry.full_reference(name)
    found = [
        distance(IMAGE, degrade.apply(fault, IMAGE, MASK, level, 1), MASK) for level in (0, 1, 3, 5)
    ]

    assert all(np.diff(found) > 0), found


@pytest.mark.parametrize("name", EVERY)
def test_what_lies_outside_the_scan_does_not_count(name: str) -> None:
    """Other backgrounds, same distance."""
    distance = registry.full_reference(name)
    other = degrade.apply("SPK", IMAGE, MASK, 3, 1)
    white = np.where(MASK, other, np.float32(1))

    assert distance(IMAGE, other, MASK) == pytest.approx(distance(IMAGE, white, MASK), abs=1e-6)


def test_psnr_is_the_error_in_decibels() -> None:
    """An error of a tenth everywhere is 20 dB."""
    psnr = registry.full_reference("psnr")
    half = np.full((64, 64), 0.5, np.float32)

    assert -20 == pytest.approx(psnr(half, half + np.float32(0.1), half > 0), abs=1e-4)


def test_brisque_has_the_features_of_its_package() -> None:
    """Over a full picture, but for the 3 px at its border that ours leaves out."""
    package = brisque_package()
    brisque_live = import_module("sonoquality.metrics.baselines.brisque_live")
    full = np.ones((260, 320), np.bool_)
    image = tissue(full)
    own = brisque_live._features(image, full)
    theirs = package.BRISQUE(url=False).calculate_brisque_features(image.astype(np.float64))

    assert own == pytest.approx([float(np.ravel(each)[0]) for each in theirs], rel=0.1, abs=0.02)


def test_brisque_looks_inside_the_mask_and_at_any_grey() -> None:
    """A white background changes nothing; a black picture has a score."""
    brisque_package()
    brisque = registry.no_reference("brisque")
    white = np.where(MASK, IMAGE, np.float32(1))

    assert brisque(white, MASK) == pytest.approx(brisque(IMAGE, MASK), abs=1e-6)
    assert np.isfinite(brisque(np.zeros((260, 320), np.float32), np.ones((260, 320), np.bool_)))


def test_the_command_adds_distances_from_a_reference(tmp_path: Path) -> None:
    """And refuses pictures of another size."""
    paths = [tmp_path / f"{level}.png" for level in (0, 2)]
    for level, path in zip((0, 2), paths, strict=True):
        grey = degrade.apply("DEF", IMAGE, MASK, level, 1)
        Image.fromarray((grey * 255).astype(np.uint8)).save(path)

    found = CliRunner().invoke(app, ["baselines", str(paths[1]), "--reference", str(paths[0])])

    assert 0 == found.exit_code, found.output
    assert EVERY == list(json.loads(found.output)["distances"])
