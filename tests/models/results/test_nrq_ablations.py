"""The section on the encoder's losses says which run is worse, and what an unseen source costs."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sonoquality.degrade import LADDER
from sonoquality.results import nrq_ablations

N = 24
KEYS = ("image", "source", "group", "operator", "level")
RUNS = ("whole", "whole, refitted without a", "blind", "alike", "unseen a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole run that falls with every level; one that sees nothing, one that does as well."""
    rng = np.random.default_rng(4)
    with (tmp_path / nrq_ablations.CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*KEYS, *RUNS])
        for i in range(N):
            own = rng.normal()
            for name, level in [("none", 0), *((n, k) for n in LADDER for k in (1, 2, 3))]:
                seen = own - 2.0 * level
                ranks = (seen, seen, rng.normal(), seen, seen + 1.9 * level * (i % 2 == 0))
                table.writerow([f"i{i}", "ab"[i % 2], f"g{i}", name, level, *ranks])
    return tmp_path


def row(page: str, name: str) -> list[str]:
    """Return the cells of the line that begins with a name."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_run_that_sees_nothing_is_called_worse(folder: Path) -> None:
    """Chance in order and detection; the one that does as well is not told apart."""
    page = nrq_ablations.section(folder)

    assert "Clearly worse than the whole run: blind." in page
    assert "Clearly better: none." in page
    assert "Not told apart: alike." in page
    assert "1.000" == row(page, "whole")[1]
    assert pytest.approx(0.5, abs=0.08) == float(row(page, "blind")[1])
    assert "refitted" not in page


def test_an_unseen_source_stands_beside_the_same_refit(folder: Path) -> None:
    """Of its images alone: half of N, and what the encoder lost by never having seen it."""
    page = nrq_ablations.section(folder)
    saw, never, change = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("| a |")
    )

    assert ["12", "12", "saw it"] == saw[1:4]
    assert float(saw[-1]) > 0.9 > float(never[-1])
    assert change[-2].startswith("-0.")


def test_without_a_table_there_is_no_section(tmp_path: Path) -> None:
    """The page leaves it out."""
    with pytest.raises(FileNotFoundError):
        nrq_ablations.section(tmp_path)
