"""The sections on uLPIPS say what their CSVs say: known answers from drawn numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.results import (
    dice_link,
    matched_pairs,
    pages,
    ulpips_choice,
    ulpips_ladders,
)
from sonoquality.results import full_reference as kept

PERFECT, REVERSED = "ulpips", "psnr"


def rung(number: int, operator: str, level: int, organ: str = "liver") -> kept.Rung:
    """Dice falls with the level; uLPIPS knows, PSNR says the contrary, the others are noise."""
    rng = np.random.default_rng([number, level, list(degrade.OPERATORS).index(operator)])
    harm = 0.1 * level + 0.01 * list(degrade.OPERATORS).index(operator)
    distances = {key: float(rng.random()) for key in kept.METRICS}
    return kept.Rung(
        picture=f"aul_liver-{number}",
        group=f"group-{number}",
        organ=organ,
        operator=operator,
        level=level,
        dice_clean=0.9,
        dice=0.9 - harm,
        distances={**distances, PERFECT: harm, REVERSED: -harm},
    )


def rungs(n_pictures: int, organ: str = "liver") -> list[kept.Rung]:
    """Return some pictures under every operator."""
    return [
        rung(number, operator, level, organ)
        for number in range(n_pictures)
        for operator in degrade.OPERATORS
        for level in degrade.LEVELS
    ]


def written(folder: Path, rows: list[kept.Rung]) -> Path:
    """Write what the section on ladders needs."""
    kept.write_rungs(folder, rows)
    still = kept.Still(picture="a", group="a", change="+3 dB", ulpips=0.001)
    changes = {"+3 dB": 0.001, "-3 dB": 0.9, ulpips_ladders.ITSELF: 0.0, ulpips_ladders.TURNED: 0.0}
    kept.write_stills(folder, [replace(still, change=c, ulpips=v) for c, v in changes.items()])
    kept.write_run(folder, {"measured": "2026-01-02", "command": "`sonoquality evaluate ulpips`"})
    return folder


def test_csvs_keep_what_was_measured(tmp_path: Path) -> None:
    """Read again, every row is what it was, to seven digits."""
    rows = [*rungs(1), replace(rung(3, "SPK", 1), organ="", dice_clean=np.nan, dice=np.nan)]
    kept.write_rungs(tmp_path, rows)

    for row, again in zip(rows, kept.read_rungs(tmp_path), strict=True):
        assert (row.picture, row.group, row.organ) == (again.picture, again.group, again.organ)
        assert (row.operator, row.level) == (again.operator, again.level)
        assert row.distances == pytest.approx(again.distances, rel=1e-6)
        assert row.dice == pytest.approx(again.dice, rel=1e-6, nan_ok=True)


def test_steps_are_counted_by_their_order(tmp_path: Path) -> None:
    """What knows the level climbs always, its contrary never; 3 dB that cost much are missed."""
    page = ulpips_ladders.section(written(tmp_path, rungs(12)))

    assert "| uLPIPS | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] |" in page
    assert "| PSNR | 0.000 [0.000, 0.000] | 0.000 [0.000, 0.000] |" in page
    assert "each under 20 operators" in page
    assert "rises along every ladder: reached." in page
    assert "| +3 dB | 0.0010 | 0.3% | reached |" in page
    assert "| -3 dB | 0.9000 | 233.8% | **missed** |" in page
    assert "- measured: 2026-01-02" in page


def test_a_ladder_that_falls_is_named(tmp_path: Path) -> None:
    """One picture's uLPIPS falls from level 3 of one operator."""
    rows = [
        replace(r, distances={**r.distances, PERFECT: -1.0})
        if (r.picture, r.operator, r.level) == ("aul_liver-1", "DYR", 4)
        else r
        for r in rungs(2)
    ]
    page = ulpips_ladders.section(written(tmp_path, rows))

    assert "rises along every ladder: **missed** on DYR." in page


def test_a_ladder_not_measured_counts_neither_way(tmp_path: Path) -> None:
    """One picture has all operators, one has one only: both climb."""
    rows = [*rungs(1), *(rung(5, "SPK", level) for level in degrade.LEVELS)]
    climbs = ulpips_ladders.Climbs(rows)
    page = ulpips_ladders.section(written(tmp_path, rows))

    assert [1.0, 1.0] == climbs.shares(PERFECT, degrade.LADDER)
    assert "| SPK | 2 | 1.000" in page
    assert "| DEF | 1 | 1.000" in page
    assert "nan" not in page
    assert "each under 1 to 20 operators" in page
    assert "[" not in page.split("Share of steps")[0].split("| --- |")[-1]  # two groups


def test_the_link_to_dice_is_rank_correlation(tmp_path: Path) -> None:
    """Harm itself correlates at 1, its contrary at -1; two organs of two are enough."""
    rows = [*rungs(12), *(replace(r, organ="ovary", picture=f"o{r.picture}") for r in rungs(12))]
    page = dice_link.section(written(tmp_path, rows))

    assert "| uLPIPS | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] |" in page
    assert "| PSNR | -1.000 [-1.000, -1.000] | -1.000 [-1.000, -1.000] |" in page
    assert "Ahead in the mean on liver, ovary: reached; with every interval above 0 on" in page


def test_pictures_that_the_network_does_not_know_are_left_out(tmp_path: Path) -> None:
    """Clean Dice below .5: counted as left out, and in no correlation."""
    rows = [
        replace(row, dice_clean=0.4) if row.picture.endswith("-0") else row for row in rungs(11)
    ]
    losses = dice_link.Losses(rows)

    assert 1 == losses.n_left_out
    assert 10 == len(losses.groups)
    assert "| liver | 10 of 10 groups | 1 | 0.900 |" in dice_link.section(written(tmp_path, rows))


def test_no_rival_beaten_is_a_missed_target(tmp_path: Path) -> None:
    """If PSNR knew the harm, uLPIPS would not be ahead."""
    rows = [replace(r, distances={**r.distances, REVERSED: r.distances[PERFECT]}) for r in rungs(3)]

    assert "Ahead in the mean on none: **missed**" in dice_link.section(written(tmp_path, rows))


def pair(number: int, dice: tuple[float, float], ulpips: tuple[float, float]) -> kept.Pair:
    """Return a pair at the same PSNR."""
    return kept.Pair(
        picture=f"p{number}",
        group=f"g{number}",
        organ="liver",
        fault="SHA",
        level=4,
        other="SPK",
        dice_clean=0.9,
        dice=dice,
        distances={**dict.fromkeys(kept.METRICS, (-25.0, -25.0)), "ulpips": ulpips},
    )


def test_the_worse_of_a_pair_must_be_further_away(tmp_path: Path) -> None:
    """Three of four clear pairs are right; a tie is chance; the fifth is not clear."""
    rows = [
        pair(0, (0.5, 0.8), (0.3, 0.1)),
        pair(1, (0.8, 0.5), (0.1, 0.3)),
        pair(2, (0.5, 0.8), (0.3, 0.1)),
        pair(3, (0.5, 0.8), (0.1, 0.3)),
        pair(4, (0.8, 0.81), (0.3, 0.1)),
    ]
    kept.write_pairs(tmp_path, rows)
    page = matched_pairs.section(tmp_path)

    assert rows == kept.read_pairs(tmp_path)
    assert "| pairs that count | 4 | 4 |" in page
    assert "| first costs more | 75% | 75% |" in page
    assert "| uLPIPS | 0.750 | 0.750 |" in page
    assert "| PSNR | 0.500 | 0.500 |" in page
    assert "by uLPIPS: 0.750, **missed**" in page


def test_the_weights_that_are_kept_stand_in_bold(tmp_path: Path) -> None:
    """Written and read again, with the mean over organs."""
    rows = [
        ulpips_choice.Tried(
            name=name,
            n_pictures=9,
            n_pairs=4,
            steps=0.5,
            pairs=0.75,
            gain=0.01,
            aside=0.2,
            kept=here,
            measured="2026-01-02",
            command="sonoquality evaluate ulpips-weights --ladders 3",
            dice={"liver": 0.25, "ovary": 0.75},
        )
        for name, here in (("noted", False), ("token alone", True))
    ]
    ulpips_choice.write_csv(tmp_path, rows)

    assert rows == ulpips_choice.read_csv(tmp_path)
    line = "| **token alone** | 0.500 | 0.250 | 0.750 | 0.500 | 0.75 | 1.0% | 20.0% |"
    assert line in ulpips_choice.section(tmp_path)
    assert "on 2026-01-02 by `sonoquality evaluate" in ulpips_choice.section(tmp_path)


def test_a_page_without_dice_leaves_the_section_out(tmp_path: Path) -> None:
    """Pictures without an outline are on ladders only."""
    rows = [replace(row, organ="", dice=np.nan, dice_clean=np.nan) for row in rungs(1)]
    written(tmp_path / pages.CSV_FOLDER, rows)
    pages.write_pages(tmp_path)
    page = (tmp_path / "ulpips.md").read_text("utf-8")

    assert "## It rises with the fault" in page
    assert "## It tells what a fault costs" not in page
