"""Pages of results say what the CSVs say, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality.arrays import Tokens, Windows
from sonoquality.evaluation import LEDGER
from sonoquality.results import pages, paper_parity
from tests.conftest import ROOT
from tests.models.metrics.organs import keep_arrays, organ


def encode(windows: Windows) -> list[Tokens]:
    """Stand in for an encoder: means and spreads of 16 px patches."""
    patches = windows.reshape(-1, 14, 16, 14, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 196, 256)
    return [np.stack([patches.mean(2), patches.std(2), patches.max(2)], axis=2)]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Reference values that are one in a hundred too large, of one picture and its noisy twin."""
    keep_arrays(tmp_path / "manifolds" / "Liver.npz", {**organ(0, 3, d=2), "D": 2})
    rng = np.random.default_rng(0)
    for name in ("phantom_100x80.png", "phantom_100x80_noise.png"):
        Image.fromarray(rng.integers(0, 256, (100, 80), dtype=np.uint8)).save(tmp_path / name)
    names = ("phantom_100x80.png", "phantom_100x80_noise.png")
    asked = ("nrq_mixture", "nrq_Liver", "ulpips_to_clean")
    blank = [{"image": name, **dict.fromkeys(asked, 1.0)} for name in names]
    (tmp_path / "expected.json").write_text(json.dumps(blank))
    ours = {
        (row.image, row.metric, row.against): row.ours
        for row in paper_parity.measure(tmp_path, encode)
    }
    for row in blank:
        for key in asked:
            metric, _, against = key.partition("_")
            against = against if metric == "nrq" else names[0]
            row[key] = 1.01 * ours[str(row["image"]), metric, against]
    (tmp_path / "expected.json").write_text(json.dumps(blank))
    return tmp_path


def test_the_error_is_relative_to_what_was_printed(reference: Path) -> None:
    """1 % too large is an error of 1/101; 0 against 0 is none."""
    rows = list(paper_parity.measure(reference, encode))

    assert [("nrq", "mixture"), ("nrq", "Liver"), ("ulpips", "phantom_100x80.png")] * 2 == [
        (row.metric, row.against) for row in rows
    ]
    assert [1 / 101, 1 / 101, 0.0, 1 / 101, 1 / 101, 1 / 101] == pytest.approx(
        [row.error for row in rows]
    )


def test_a_missed_bar_is_called_missed(reference: Path, tmp_path: Path) -> None:
    """The page is made of the CSV alone, with all digits kept in between."""
    rows = list(paper_parity.measure(reference, encode))
    paper_parity.write_csv(tmp_path / "csv" / paper_parity.CSV, rows)
    pages.write_pages(tmp_path)

    assert rows == paper_parity.read_csv(tmp_path / "csv")
    assert "**missed**" in (tmp_path / "nrq.md").read_text()
    assert "| 100 x 80 | 9.9e-03 | 9.9e-03 |" in (tmp_path / "nrq.md").read_text()


def test_a_section_not_measured_yet_is_left_out(tmp_path: Path) -> None:
    """The page stands, and claims nothing."""
    pages.write_pages(tmp_path)

    assert "##" not in (tmp_path / "ulpips.md").read_text()


@pytest.mark.parametrize("name", pages.PAGES)
@pytest.mark.docs
def test_the_kept_pages_are_made_of_the_kept_csvs(name: str, tmp_path: Path) -> None:
    """`sonoquality evaluate pages` was run after the last measurement."""
    kept = ROOT / "docs" / "results"
    for beside in (pages.CSV_FOLDER, LEDGER):
        (tmp_path / beside).symlink_to(kept / beside)
    pages.write_page(tmp_path, name)

    assert (tmp_path / name).read_text("utf-8") == (kept / name).read_text("utf-8")
