"""`sonoquality degrade`: pictures, their record, and the contact sheet."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sonoquality import degrade
from sonoquality.cli import app
from tests.models.phantoms import SCANS, tissue


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A phantom as PNG."""
    path = tmp_path / "fan.png"
    Image.fromarray((tissue(SCANS["fan"]) * 255).astype(np.uint8)).save(path)
    return path


def test_one_operator_at_one_level_is_one_picture(picture: Path, tmp_path: Path) -> None:
    """With its parameters in the table, and a sheet of that operator."""
    out = tmp_path / "out"
    arguments = ["degrade", str(picture), "--operator", "SHA", "--level", "4", "--out", str(out)]

    found = CliRunner().invoke(app, arguments)

    assert 0 == found.exit_code, found.output
    assert {"fan_SHA_4.png", "faults.csv", "sheet.png"} == {path.name for path in out.iterdir()}
    (row,) = csv.DictReader((out / "faults.csv").read_text(encoding="utf-8").splitlines())
    assert ("SHA", "4", "24") == (row["operator"], row["level"], row["strength"])
    assert {"lateral", "depth", "width"} == set(json.loads(row["drawn"]))


@pytest.mark.slow
def test_all_operators_at_all_levels_fill_the_sheet(picture: Path, tmp_path: Path) -> None:
    """A hundred pictures, and twenty rows of six."""
    out = tmp_path / "out"

    found = CliRunner().invoke(app, ["degrade", str(picture), "--out", str(out)])

    assert 0 == found.exit_code, found.output
    assert 100 == len(list(out.glob("fan_*.png")))
    with Image.open(out / "sheet.png") as sheet:
        assert 6 * 204 == sheet.width
        assert 0 == sheet.height % len(degrade.OPERATORS)


@pytest.mark.parametrize("wrong", [["--operator", "XYZ"], ["--level", "6"]])
def test_a_wrong_name_or_level_is_refused_with_the_right_ones(
    picture: Path, tmp_path: Path, wrong: list[str]
) -> None:
    """Not with an index error."""
    found = CliRunner().invoke(app, ["degrade", str(picture), "--out", str(tmp_path), *wrong])

    assert 2 == found.exit_code
    assert "ANN" in found.output or "1 to 5" in found.output
