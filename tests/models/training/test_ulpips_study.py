"""uLPIPS and its rivals are held against ladders, Dice and pairs, from networks to the page."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.arrays import UnitImage
from sonoquality.cli import main
from tests.models.training import collection

if TYPE_CHECKING:
    from sonoquality.training.segmentation.probes import Scan

pytestmark = pytest.mark.train
RECIPE = """
side = 32
widths = [2, 2, 4, 4]
n_steps = 1
n_pictures = 2
"""


def run(*words: object) -> None:
    """Run the command line."""
    with pytest.raises(SystemExit, match="0"):
        main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection, a small encoder with random weights, and networks that hardly learned."""
    import torch

    from sonoquality.networks.checkpoints import save_encoder
    from sonoquality.networks.profiles import EncoderProfile
    from sonoquality.networks.vit import VisionTransformer

    folder = tmp_path_factory.mktemp("study")
    collection.draw(folder / "data")
    torch.manual_seed(0)
    profile = EncoderProfile(name="tiny", width=16, depth=2, heads=2, channels=1, taps=(1, 2))
    save_encoder(folder / "encoder.pt", VisionTransformer(profile))
    (folder / "recipe.toml").write_text(RECIPE)
    for organ in ("liver", "fetal_head", "ovary"):
        words = ("--organ", organ, "--config", folder / "recipe.toml", "--data", folder / "data")
        run("train", "segmentation", *words, "--out", folder / "run" / "segmentation")
    return folder


def options(folder: Path) -> tuple[object, ...]:
    """Return what every evaluation is given."""
    given = ("--weights", folder / "encoder.pt", "--data", folder / "data")
    return *given, "--run", folder / "run", "--out", folder / "docs" / "results"


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    """Read a CSV of the results."""
    with (folder / "docs" / "results" / "csv" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_study_ends_in_csvs_and_a_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One operator of one picture of each organ; then one more; nothing is measured twice."""
    from sonoquality.training.segmentation import pairs

    monkeypatch.setattr(pairs, "PAIRS", (("SHA", "SPK"),))
    monkeypatch.setattr(pairs, "LEVELS", (4,))
    (folder / "docs" / "results").mkdir(parents=True)
    run("evaluate", "ulpips", *options(folder), "--ladders", 1, "--operators", 1, "--pairs", 1)
    first = rows_of(folder, "ulpips-ladders.csv")
    kept = {path: path.stat().st_mtime_ns for path in (folder / "run").rglob("*.npz")}
    run("evaluate", "ulpips", *options(folder), "--ladders", 1, "--operators", 2, "--pairs", 1)
    again = rows_of(folder, "ulpips-ladders.csv")
    run("evaluate", "ulpips-weights", *options(folder), "--ladders", 1, "--operators", 1)

    assert 3 * 1 * 5 == len(first)
    assert 3 * 2 * 5 == len(again)
    assert [row for row in again if row in first] == first
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items())
    assert all(0 < float(row["ulpips"]) < 1 and -100 < float(row["psnr"]) for row in again)
    assert all(0 <= float(row["dice"]) <= 1 for row in again)
    assert {0.0} == {
        float(row["ulpips"])
        for row in rows_of(folder, "ulpips-still.csv")
        if row["change"] in ("itself", "order of the two")
    }
    page = (folder / "docs" / "results" / "ulpips.md").read_text("utf-8")
    for title in ("What it looks at", "It rises with the fault", "It tells what a fault"):
        assert f"## {title}" in page


def test_choices_are_made_on_other_groups_than_reports(folder: Path) -> None:
    """No group is on two sides; what calibrates is learned from by nothing."""
    from sonoquality.training.data import calibrates
    from sonoquality.training.segmentation.probes import probes

    chosen, reported = (probes(folder / "data", split, 99) for split in ("choice", "val"))

    assert 3 * collection.N_CHOICE == len(chosen)
    assert 3 * collection.N_VAL == len(reported)
    assert all(calibrates(each.row) for each in chosen)
    assert not {e.row.group for e in chosen} & {e.row.group for e in reported}


def test_four_pictures_of_a_source_see_every_operator(folder: Path) -> None:
    """Five operators each, of different kinds, by turns."""
    from dataclasses import replace

    from sonoquality.training.segmentation.ladders import operators_of
    from sonoquality.training.segmentation.probes import probes

    probe = probes(folder / "data", "val", 1)[0]
    seen = [operators_of(replace(probe, number=number), 5) for number in range(4)]

    assert set(degrade.OPERATORS) == {name for names in seen for name in names}
    assert set(degrade.OPERATORS) == set(operators_of(probe, 20))


@pytest.fixture(scope="module")
def scan(folder: Path) -> "Scan":
    """One scan with its outline."""
    from sonoquality.training.segmentation.probes import probes

    return probes(folder / "data", "val", 1)[0].read()


@pytest.mark.parametrize("wanted_db", [30.0, 22.0])
@pytest.mark.parametrize("name", ["SPK", "DEF"])
def test_a_matched_fault_has_the_wanted_psnr(scan: "Scan", name: str, wanted_db: float) -> None:
    """Within 0.1 dB, by the formula of PSNR; what can't be reached is None."""
    from sonoquality.training.segmentation.pairs import matched

    found = matched(name, scan, wanted_db, seed=1)
    if found is None:
        pytest.fail("no strength was found")

    assert wanted_db == pytest.approx(psnr_of(scan, found), abs=0.1)
    assert matched("DEF", scan, 3.0, seed=1) is None


def psnr_of(scan: "Scan", picture: UnitImage) -> float:
    """Return 10 log10 of 1 over the mean square error inside the mask."""
    away = (picture.astype(np.float64) - scan.image)[scan.mask]
    return float(-10 * np.log10(np.mean(away**2)))
