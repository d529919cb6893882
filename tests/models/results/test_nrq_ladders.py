"""The sections on NRQ and faults say what their tables hold."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sonoquality.agreement import auroc
from sonoquality.degrade import LADDER, LEVELS, OPERATORS
from sonoquality.metrics.baselines.registry import NO_REFERENCE
from sonoquality.results import nrq_alarms, nrq_choice, nrq_ladders
from sonoquality.results.tables import ladders

N = 12
KEYS = ("image", "source", "group", "operator", "level")


def write(
    path: Path, columns: tuple[str, ...], value: Callable[[int, str, int, str], float]
) -> None:
    """Write a table of N images of two sources under every fault."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*KEYS, *columns])
        for i in range(N):
            about = [f"i{i}", "ab"[i % 2], f"g{i}"]
            faults = [("none", 0), *((name, k) for name in OPERATORS for k in LEVELS)]
            for name, level in faults:
                table.writerow(
                    [*about, name, level, *(value(i, name, level, each) for each in columns)]
                )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that falls by 2 a level but for SHA, which it can't see; baselines that know SHA."""

    def model(i: int, name: str, level: int, column: str) -> float:
        rank = i / 10 - (0 if name == "SHA" else 2 * level)
        return rank if column == "rank" else 90 + 8 * rank

    def baseline(i: int, name: str, level: int, column: str) -> float:
        return i / 10 - level * (name == "SHA" and column == "entropy")

    write(tmp_path / "nrq-ladders-model.csv", ("rank", "quality"), model)
    write(tmp_path / "nrq-ladders-baselines.csv", tuple(NO_REFERENCE), baseline)
    return tmp_path


def test_ladders_are_put_side_by_side(folder: Path) -> None:
    """Each judge's ranks at their place; level 0 is the same under every operator."""
    found = ladders(
        {
            "NRQ": folder / "nrq-ladders-model.csv",
            "baselines": folder / "nrq-ladders-baselines.csv",
        },
        {"NRQ": ("rank",), "baselines": ("entropy", "spread")},
    )
    everything = found.images()

    assert ("NRQ", "entropy", "spread") == found.judges
    assert (3, len(OPERATORS), N, 6) == found.ranks.shape
    assert 0.3 - 2 * 4 == pytest.approx(found.ranks[0, found.operators.index("DEF"), 3, 4])
    assert np.ptp(found.ranks[0, :, :, 0], axis=0).max() == 0
    assert N // 2 == len(found.images("a"))
    sha = found.places(["SHA"])
    assert found.in_order(0, found.places(LADDER), everything) == pytest.approx(17 / 18)
    assert (0.0, 1.0) == (found.in_order(0, sha, everything), found.perfect(1, sha, everything))
    clean = np.arange(N) / 10
    assert auroc(clean - 1, clean) == pytest.approx(found.detected(1, sha, 1, everything))


def test_the_page_names_what_is_missed_and_who_wins(folder: Path) -> None:
    """SHA is lost to the baseline that sees it, and to no other fault's best."""
    said = nrq_ladders.ladder_section(folder)

    words = " ".join(said.split())
    assert "clearly behind the best baseline of a fault on: SHA (entropy)." in words
    assert "paired: 0.434 [0.433, 0.437] at level 1 (`entropy`), 0.444" in words
    assert "12 images of 12 groups" in words
    assert "| a | 6 | 6 | 0.944 |" in said


def test_the_choice_is_said_beside_each_that_was_replaced(folder: Path) -> None:
    """A former entry that saw no fault loses every step that is seen; SHA is none of the unseen."""
    for name in ("ladders", *nrq_ladders.EXTERNAL):
        for kind in ("model", "baselines"):
            kept = (folder / f"nrq-ladders-{kind}.csv").read_bytes()
            (folder / f"nrq-{name}-{kind}.csv").write_bytes(kept)
        write(folder / f"nrq-{name}-former.csv", ("rank",), lambda i, *_: i / 10)
    said = nrq_choice.choice_section(folder)

    assert "| the 18 faults | nrq/1.0.0 | 0.944 [0.944, 0.944] | 0.467" in said
    assert "| the five never trained on | nrq/1.0.0 | 1.000 [1.000, 1.000] | 0.500" in said
    assert "| the five never trained on | dct-manifold | 1.000" in said


def test_false_alarms_are_counted(folder: Path) -> None:
    """A quarter of clean ones low, and at level 5 only SHA is not."""
    with (folder / nrq_alarms.CLEAN_CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*KEYS, "rank", "quality", "windows"])
        for i in range(8):
            table.writerow([f"c{i}", "a", f"g{i}", "none", 0, 0, 40 if i < 2 else 80, 4])
    said = nrq_alarms.alarm_section(folder)

    assert "25.0%" in said
    assert "75.0%" in said
    assert "| DEF | 100% | 0% | low ≥ 95 %: reached |" in said
    assert "| SHA | 0% | 100% | high ≤ 10 %: missed |" in said


def test_falls_are_beside_what_sources_differ_by(folder: Path) -> None:
    """The two sources lie 0.1 apart; SHA moves no image by so much, CON all."""
    said = nrq_alarms.missed_section(folder)

    assert "lie up to 0.1 apart" in said
    assert "| SHA | 0.50 | 0.000 [0.000, 0.000] | 0% | 94 |" in said
    assert "| CON | 1.00 | 10.000 [10.000, 10.000] | 100% |" in said


def test_a_trial_that_was_not_run_leaves_its_section_out(tmp_path: Path) -> None:
    """As every section of a page does."""
    with pytest.raises(FileNotFoundError):
        nrq_ladders.ladder_section(tmp_path)


def test_bands_of_the_8_bit_encoder_are_compared_picture_by_picture(folder: Path) -> None:
    """One picture of four falls from high to medium: a quarter, and none from high to low."""
    with (folder / nrq_alarms.INT8_CSV).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*KEYS, "rank", "quality", "windows"])
        for i, quality in enumerate((90, 90, 90, 70)):
            table.writerow([f"i{i}", "a", f"g{i}", "none", 0, 0, quality, 4])
    said = " ".join(nrq_alarms.int8_section(folder).split())

    assert "4 ladder pictures of 4 images" in said
    assert "another band in 25.00% (asked ≤ 0.5%), high against low in 0: missed" in said
