"""The section on organs says how often the picture tells one, and what knowing it gains."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sonoquality.results import nrq_organs
from sonoquality.trials.known_organ import CHANCE, KIN, RIGHT, WAYS, column
from tests.models.results.test_nrq_ladders import KEYS, N, write

COLUMNS = (
    *(CHANCE, RIGHT, KIN),
    *(column(number, way) for number in ("rank", "quality") for way in WAYS),
)


def value(i: int, _name: str, level: int, name: str) -> float:
    """Return numbers by which the mixture sees nothing and a known organ all; one in four told."""
    noise = float(np.random.default_rng([i, level]).normal())
    told = {CHANCE: 0.3, RIGHT: float(i % 4 == 0), KIN: float(i % 2 == 0)}
    ranks = {"rank_mixture": noise, "rank_known": -10.0 * level + noise, "rank_likely": noise}
    qualities = {"quality_mixture": 40.0, "quality_known": 80.0 - 10 * level, "quality_likely": 60}
    return {**told, **ranks, **qualities}[name]


@pytest.fixture
def organs(tmp_path: Path) -> Path:
    """Ladders, and the same images as they are."""
    write(tmp_path / nrq_organs.LADDERS_CSV, COLUMNS, value)
    with (tmp_path / nrq_organs.CLEAN_CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*KEYS, *COLUMNS])
        for i in range(N):
            numbers = [value(i, "none", 0, name) for name in COLUMNS]
            table.writerow([f"i{i}", "ab"[i % 2], f"g{i}", "none", 0, *numbers])
    return tmp_path


def test_what_is_told_and_gained_stands_on_the_page(organs: Path) -> None:
    """Shares, medians and bands by source; a gain whose interval is above nothing."""
    page = nrq_organs.organ_section(organs)

    assert f"right one in {3 / 12:.0%} [" in page
    assert f"muscle in {6 / 12:.0%} [" in page
    row = "| 50% | 0.30 | 40.0 | 80.0 | 0.0% | 100.0% | 100.0% | 0.0% |"
    assert f"| a | {N // 2} {row}" in page
    assert "**`--organ` gains** in detection\n(" in page
    assert "was wrong more often than right" in page
    assert "| known | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] |" in page


def test_nothing_gained_is_called_nothing(organs: Path) -> None:
    """Where both ways rank alike."""
    path = organs / nrq_organs.LADDERS_CSV
    write(
        path,
        COLUMNS,
        lambda i, name, level, each: value(
            i, name, level, each.replace("rank_known", "rank_likely")
        ),
    )

    assert "changes nothing that shows" in nrq_organs.organ_section(organs)
