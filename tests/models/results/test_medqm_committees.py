"""What committees bring: the page says what the CSV holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from sonoquality.results import medqm_committees, rows
from sonoquality.results.medqm_committees import CSV, Committees

ONE = Committees(
    members="1", n_committees=3, tau_train=0.39, tau_val=0.45, srcc=0.75, plcc=0.74,
    likeness=0.85,
)  # fmt: skip


def test_each_size_has_a_line(tmp_path: Path) -> None:
    """In the order of the CSV, and the likeness is that of single networks."""
    three = replace(ONE, members="3", n_committees=1, tau_train=0.47, likeness=0.0)
    rows.write(tmp_path / CSV, [ONE, three])
    page = medqm_committees.section(tmp_path)
    assert "with 0.85 only" in page
    lines = [line for line in page.splitlines() if line.startswith("| ")][-2:]
    assert [line.split("|")[1:3] for line in lines] == [[" 1 ", " 0.390 "], [" 3 ", " 0.470 "]]


def test_a_run_without_committees_says_so(tmp_path: Path) -> None:
    """There is no size to show."""
    rows.write(tmp_path / CSV, [])
    page = medqm_committees.section(tmp_path)
    assert "nothing was compared" in page
    assert "|" not in page


def test_a_study_that_was_not_made_is_left_out(tmp_path: Path) -> None:
    """As `pages` expects of a section."""
    with pytest.raises(FileNotFoundError):
        medqm_committees.section(tmp_path)
