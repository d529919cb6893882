"""All baselines through one door: what each name promises, kept for all of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sonoquality import degrade, golden
from sonoquality.arrays import Mask, UnitImage
from sonoquality.cli import app
from sonoquality.errors import MissingExtraError
from sonoquality.metrics.baselines import registry
from sonoquality.preprocess import working_image
from tests.models.phantoms import SCANS, tissue

PLAIN = [name for name, each in registry.NO_REFERENCE.items() if not each.extra]
GRADIENTS = [name for name in PLAIN if name.startswith(("tenengrad", "mean-gradient"))]
MASK = SCANS["fan"]
IMAGE = tissue(MASK)


def score(name: str, image: UnitImage, mask: Mask = MASK) -> float:
    """By the registry."""
    return registry.no_reference(name)(image, mask)


@pytest.mark.parametrize("name", PLAIN)
def test_a_score_is_a_number_and_the_same_each_time(name: str) -> None:
    """And the images are left as they were."""
    before = IMAGE.copy()

    assert np.isfinite(score(name, IMAGE))
    assert score(name, IMAGE) == score(name, IMAGE)
    assert np.array_equal(before, IMAGE)


@pytest.mark.parametrize("name", PLAIN)
def test_what_lies_outside_the_scan_does_not_count(name: str) -> None:
    """A white background scores as a black one; mean-gradient-2 is known to see 3 px too far."""
    white = np.where(MASK, IMAGE, np.float32(1))
    tolerance = 0.1 if name == "mean-gradient-2" else 1e-5

    assert score(name, white) == pytest.approx(score(name, IMAGE), rel=tolerance)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_fall_with_every_level_of_blur(name: str) -> None:
    """They are measures of sharpness."""
    luma, scan, _ = golden.inputs_of(golden.PHANTOMS[1])
    working = working_image(luma, scan)
    image, mask = working.image, working.mask
    scores = [
        score(name, degrade.apply("DEF", image, mask, level, 1), mask)
        for level in (0, *degrade.LEVELS)
    ]

    assert all(np.diff(scores) < 0), scores


@pytest.mark.parametrize("name", ["dct-manifold", "niqe", "quietness"])
def test_noise_scores_lower_with_every_level(name: str) -> None:
    """Gradients rise with noise; these fall."""
    scores = [score(name, degrade.apply("SPK", IMAGE, MASK, level, 1)) for level in (1, 3, 5)]

    assert all(np.diff(scores) < 0), scores


@pytest.mark.parametrize("name", ["entropy", "spread"])
def test_a_histogram_narrows_with_lost_gain(name: str) -> None:
    """Greys cut off at black are lost."""
    scores = [score(name, degrade.apply("G-", IMAGE, MASK, level, 1)) for level in (0, 3, 5)]

    assert all(np.diff(scores) < 0), scores


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_scan_of_one_grey_has_a_score(name: str, grey: float) -> None:
    """No division by its spread of 0."""
    assert np.isfinite(score(name, np.where(MASK, np.float32(grey), np.float32(0))))


def test_entropy_counts_bits() -> None:
    """Four greys of equal share are two bits."""
    image = np.repeat(np.array([0, 0.25, 0.5, 1], np.float32), 16).reshape(8, 8)

    assert 2.0 == score("entropy", image, np.ones((8, 8), np.bool_))


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_tenengrad_is_the_squared_slope(sigma: int) -> None:
    """Of a ramp, whatever the smoothing."""
    ramp = np.tile(np.arange(200, dtype=np.float32) / np.float32(200), (200, 1))

    found = score(f"tenengrad-{sigma}", ramp, np.ones((200, 200), np.bool_))

    assert found == pytest.approx(0.005**2, rel=0.01)


def test_every_baseline_names_a_room_that_holds_it() -> None:
    """Files and functions exist, whether or not their extra is installed."""
    for each in (*registry.NO_REFERENCE.values(), *registry.FULL_REFERENCE.values()):
        path = Path(registry.__file__).parents[3] / (each.room.replace(".", "/") + ".py")
        assert f"def {each.function}(" in path.read_text(encoding="utf-8")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""

    def fail(name: str) -> None:
        raise ImportError(name=name)

    monkeypatch.setattr(registry, "import_module", fail)

    with pytest.raises(MissingExtraError, match=r"sonogate\[train\]"):
        registry.full_reference("ssim")


def test_the_command_prints_every_baseline_of_a_picture(tmp_path: Path) -> None:
    """One line each, null where an extra is missing."""
    path = tmp_path / "fan.png"
    Image.fromarray((IMAGE * 255).astype(np.uint8)).save(path)

    found = CliRunner().invoke(app, ["baselines", str(path)])

    assert 0 == found.exit_code, found.output
    scores = json.loads(found.output)["scores"]
    assert list(registry.NO_REFERENCE) == list(scores)
    assert None not in [scores[name] for name in PLAIN]
