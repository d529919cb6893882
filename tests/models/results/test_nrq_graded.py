"""The section on people's grades says who orders pairs better, and how bands agree."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sonoquality.metrics.baselines.registry import NO_REFERENCE
from sonoquality.results import nrq_graded
from tests.models.results.test_nrq_ladders import KEYS

GRADES = ("Poor", "Medium", "Good")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Thirty images of ten patients: the model orders them by chance, a gradient by their grade."""
    (tmp_path / "csv").mkdir()
    rng = np.random.default_rng(0)
    tables = {
        nrq_graded.MODEL_CSV: ("rank", "quality", "windows"),
        nrq_graded.FORMER_CSV: ("rank", "quality", "windows"),
        nrq_graded.BASELINES_CSV: tuple(NO_REFERENCE),
    }
    for name, columns in tables.items():
        with (tmp_path / "csv" / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([*KEYS, *columns])
            for i in range(30):
                about = [f"i{i}", "heart", f"p{i % 10}", GRADES[i % 3], 0]
                if name == nrq_graded.MODEL_CSV:
                    table.writerow([*about, rng.normal(), (20, 60, 90)[i % 3], 9])
                elif name == nrq_graded.FORMER_CSV:
                    table.writerow([*about, i % 3, 50, 9])
                else:
                    told = [i % 3 if each == "mean-gradient-2" else 0 for each in columns]
                    table.writerow([*about, *told])
    (tmp_path / "camus-ledger.txt").write_text("2026-01-01 a/1 ff\n2026-01-02 b/1 ee\n")
    return tmp_path / "csv"


def test_a_baseline_that_wins_is_said_to_win(results: Path) -> None:
    """In bold; bands by the usual thresholds agree in full here; tries are counted."""
    said = nrq_graded.graded_section(results)

    assert "**mean-gradient-2 orders pairs better than NRQ" in said
    assert "| mean-gradient-2 | 1.000 [1.000, 1.000] |" in said
    assert "balanced accuracy of three classes 1.000" in said
    assert "ever scored here: 2" in said
    assert "Less `nrq/1.0.0`, on the same pairs:\n-0." in said
    assert "Poor 20, Medium 60, Good 90" in said
    assert "30 frames of 10 patients: 10 Poor, 10 Medium, 10 Good" in said
