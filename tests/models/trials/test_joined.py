"""Trials of the joined entry: pictures with one copy a fault, where a fault is, and the clock."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality import degrade
from sonoquality.model import QualityModel
from sonoquality.results import rows as tables
from sonoquality.results.joined_rows import Lap
from sonoquality.training.data import Row
from sonoquality.trials import boxes, laps, pictures
from sonoquality.zoo import JOINED, default_zoo
from tests.models.phantoms import SCANS, tissue


@pytest.fixture(scope="module")
def model() -> QualityModel:
    """The entry of the gate."""
    return QualityModel.load(default_zoo() / JOINED, ("cpu",))


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """One phantom image."""
    grey = np.rint(tissue(SCANS["fan"], 0) * 255).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "0.png")
    return Row(
        path=tmp_path / "0.png",
        source="a",
        organ="a",
        group="g",
        split="val",
        licence="CC0",
        non_commercial=False,
        quality_label="",
        sha256="0a" * 32,
    )


def test_copies_take_turns_in_their_levels(row: Row) -> None:
    """Each operator once, at the level of its place and the image's turn; the image comes first."""
    shown = pictures.OnceSpoiled(row=row, operators=("G-", "SPK"), turn=3)
    seen = list(shown.pictures())
    luma, mask = row.read()
    unit = luma.astype(np.float32) / np.float32(255)

    assert [("none", 0), ("G-", 4), ("SPK", 5)] == [(each.operator, each.level) for each in seen]
    assert shown.n_pictures == len(seen)
    spoiled = degrade.apply("G-", unit, mask, 4, row.seed)
    assert np.array_equal(np.round(spoiled * 255), seen[1].luma)


def test_a_shadow_is_placed_where_it_is(model: QualityModel, row: Row, tmp_path: Path) -> None:
    """Better than the whole scan would; a fault that no card names has no place."""
    boxes.run(tmp_path / "b.csv", [row], model, lambda *_: None, of_faults=True)
    with (tmp_path / "b.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    shadows = [line for line in lines if (line["operator"], line["level"]) == ("SHA", "5")]

    assert {"SHA", "CON"} == {line["operator"] for line in lines}
    assert float(shadows[0]["iou_boxes"]) > float(shadows[0]["by_chance"])


def test_laps_are_timed_in_turns(model: QualityModel, tmp_path: Path) -> None:
    """A row a round; the verdict holds the graph, and the graph the encoder."""
    laps.run(tmp_path / "laps.csv", model, 5, lambda *_: None)
    found = [tables.plain(Lap, line) for line in tables.read(tmp_path / "laps.csv")]

    assert [1, 2, 3, 4, 5] == [lap["round"] for lap in found]
    fastest = {key: min(lap[key] for lap in found) for key in ("encoder", "verdict")}
    assert 0 < fastest["encoder"] < 2 * fastest["verdict"]
