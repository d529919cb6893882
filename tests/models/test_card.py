"""A card is checked before its model is believed."""

import shutil
from pathlib import Path

import pytest

from sonoquality.card import Anchors, BadCardError, HashMismatchError, ModelCard, ModelCardError
from sonoquality.model import QualityModel
from sonoquality.zoo import CARD_FILE, MODEL_FILE, default_zoo

SHIPPED = default_zoo() / "dct-manifold" / "1.0.0"
ANCHORS = Anchors(max_windows=9, badness=(0.0, 1.0, 3.0, 13.0), quality=(90.0, 75.0, 45.0, 5.0))


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """Return a copy of the shipped zoo entry that a test may spoil."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "entry"))


def test_a_changed_model_file_is_refused(entry: Path) -> None:
    """One byte more is another model."""
    with (entry / MODEL_FILE).open("ab") as file:
        file.write(b"\0")

    with pytest.raises(HashMismatchError, match="install the release again"):
        QualityModel.load(entry, providers=["cpu"])


@pytest.mark.parametrize("name", [MODEL_FILE, CARD_FILE])
def test_a_missing_file_is_named(entry: Path, name: str) -> None:
    """The message says which file is missing."""
    (entry / name).unlink()

    with pytest.raises(BadCardError, match=name):
        QualityModel.load(entry, providers=["cpu"])


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("high_from = 75.0", "high_from = 40.0"),
        ("higher_is_better = false", "higher_is_better = true"),
        ("window = 224", ""),
        ("[thresholds]", "[thresholds"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(entry: Path, line: str, instead: str) -> None:
    """Thresholds, direction, missing fields and broken TOML stop the load."""
    card = entry / CARD_FILE
    text = card.read_text(encoding="utf-8")
    assert line in text
    card.write_text(text.replace(line, instead), encoding="utf-8")

    with pytest.raises(BadCardError):
        ModelCard.read(entry)


def test_every_way_to_fail_is_one_kind_of_error() -> None:
    """The gate catches a single type."""
    assert issubclass(BadCardError, ModelCardError)
    assert issubclass(HashMismatchError, ModelCardError)


@pytest.mark.parametrize(
    ("badness", "quality"),
    [(0.0, 90.0), (0.5, 82.5), (1.0, 75.0), (2.0, 60.0), (13.0, 5.0), (-1e3, 100.0), (1e3, 0.0)],
)
def test_quality_runs_through_the_anchors_and_is_clipped(badness: float, quality: float) -> None:
    """Linear between and beyond the anchors, inside [0, 100]."""
    assert ANCHORS.to_quality(badness) == pytest.approx(quality)


def test_the_shipped_card_says_what_it_was_trained_on() -> None:
    """No non-commercial image, every source with licence and number of images."""
    text = (SHIPPED / CARD_FILE).read_text(encoding="utf-8")

    assert "non_commercial_data = false" in text
    assert "camus" not in text
    assert "NC" not in text
    assert 6 == text.count("[[training.sources]]")
    assert (ModelCard.read(SHIPPED).high_from, ModelCard.read(SHIPPED).medium_from) == (75.0, 45.0)


def test_the_clean_share_is_that_of_the_anchors() -> None:
    """Half of clean images are worse than the first anchor, 15 % than the next, then 3 %."""
    anchors = Anchors(max_windows=9, badness=(0.0, 1.0, 3.0, 9.0), quality=(90, 75, 45, 5))
    shares = [anchors.clean_share(badness) for badness in (-1.0, 0.0, 1.0, 3.0, 9.0)]

    assert shares[1:4] == pytest.approx([0.5, 0.15, 0.03], abs=1e-3)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 1e-4
