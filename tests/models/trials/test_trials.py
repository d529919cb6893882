"""Trials: which pictures are shown, and tables that survive an interruption."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality import degrade
from sonoquality.arrays import Luma, Mask
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training.data import Row, read_index
from sonoquality.trials import boxes, judges, pictures, table
from sonoquality.zoo import default_zoo
from tests.models.phantoms import SCANS, tissue

N_FAULTS = len(degrade.OPERATORS) * len(degrade.LEVELS)


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Three small phantoms of two sources."""
    lines = []
    for i, source in enumerate(("a", "a", "b")):
        grey = np.rint(tissue(SCANS["fan"], i) * 255).astype(np.uint8)[:256, :256]
        Image.fromarray(grey).save(tmp_path / f"{i}.png")
        lines.append(
            [f"{i}.png", source, f"g{i // 2}{source}", "val", "CC0", "N", "", f"{i:02x}" * 32]
        )
    head = [
        "path",
        "source",
        "group",
        "split",
        "licence",
        "non_commercial",
        "quality_label",
        "sha256",
    ]
    with (tmp_path / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *lines])
    return read_index(tmp_path)


def grey(luma: Luma, mask: Mask) -> Mapping[str, float]:
    """Judge by the mean grey in the scan."""
    return {"grey": float(luma[mask].mean())}


def test_a_spoiled_image_shows_every_fault_at_every_level(rows: list[Row]) -> None:
    """First the image as it is, then what `degrade` makes of it with the image's own seed."""
    shown = pictures.Spoiled(row=rows[0])
    seen = list(shown.pictures())
    luma, mask = rows[0].read()
    spoiled = degrade.apply("G-", luma.astype(np.float32) / np.float32(255), mask, 3, rows[0].seed)

    assert 1 + N_FAULTS == len(seen) == shown.n_pictures
    assert (pictures.CLEAN, 0) == (seen[0].operator, seen[0].level)
    assert np.array_equal(luma, seen[0].luma)
    found = next(each for each in seen if (each.operator, each.level) == ("G-", 3))
    assert np.array_equal(np.round(spoiled * 255), found.luma)
    assert len({(each.operator, each.level) for each in seen}) == len(seen)


def test_images_are_spread_over_groups(rows: list[Row]) -> None:
    """Of each source one a group first, and the sources take turns."""
    assert ["a", "b"] == [row.source for row in pictures.spread(rows, 1)]
    assert ["a", "b", "a"] == [row.source for row in pictures.spread(rows, 9)]


def test_a_trial_cut_off_goes_on(rows: list[Row], tmp_path: Path) -> None:
    """Whole images are kept, half of one is judged again, and no line comes twice."""
    path = tmp_path / "out" / "t.csv"
    shown = [pictures.Spoiled(row=row) for row in rows[:2]]
    table.run(path, shown, grey, lambda *_: None)
    whole = path.read_text(encoding="utf-8")
    path.write_text("".join(whole.splitlines(keepends=True)[:-7]), encoding="utf-8")
    asked: list[int] = []

    def counted(luma: Luma, mask: Mask) -> Mapping[str, float]:
        asked.append(1)
        return grey(luma, mask)

    table.run(path, shown, counted, lambda *_: None)

    assert 1 + N_FAULTS == len(asked)
    assert sorted(whole.splitlines()) == sorted(path.read_text(encoding="utf-8").splitlines())


def test_a_table_of_other_columns_is_not_mixed_up(rows: list[Row], tmp_path: Path) -> None:
    """The message says to move it away."""
    path = tmp_path / "t.csv"
    table.run(path, [pictures.AsItIs(row=rows[0])], grey, lambda *_: None)
    with pytest.raises(table.OtherTrialError, match="move it away"):
        table.run(path, [pictures.AsItIs(row=rows[1])], lambda *_: {"other": 1.0}, lambda *_: None)


def test_an_external_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Pictures and masks by the table beside them, image by image."""
    head = "path,mask,source,group,operator,level,seed,parameters"
    lines = [head]
    for i, name in enumerate(("aa", "aa_blur_1", "bb")):
        Image.fromarray(np.full((20, 30), 10 + i, np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(np.full((20, 30), 255 * (i < 2), np.uint8)).save(tmp_path / f"m{i}.png")
        fault = "blur,1" if "_" in name else "none,0"
        lines.append(f"{name}.png,m{i}.png,s,g{i},{fault},1,{{}}")
    (tmp_path / "samples.csv").write_text("\n".join(lines), encoding="utf-8")
    found = pictures.external(tmp_path)
    first = list(found[0].pictures())

    assert [("aa", 2), ("bb", 1)] == [(each.image, each.n_pictures) for each in found]
    assert [("none", 0), ("blur", 1)] == [(each.operator, each.level) for each in first]
    assert 11 == first[1].luma[0, 0]
    assert first[0].mask.all()


def test_the_shipped_entry_judges_with_higher_for_better(rows: list[Row]) -> None:
    """A grossly blurred picture ranks below the same one as it is."""
    judge = judges.entry(default_zoo() / "dct-manifold" / "1.0.0")
    luma, mask = rows[0].read()
    unit = luma.astype(np.float32) / np.float32(255)
    bad = np.round(degrade.apply("DEF", unit, mask, 5, 1) * 255).astype(np.uint8)

    assert judge(luma, mask)[judges.RANK] > judge(bad, mask)[judges.RANK]
    assert judge(luma, mask)[judges.QUALITY] > judge(bad, mask)[judges.QUALITY]


def test_variations_are_what_they_are_called(rows: list[Row]) -> None:
    """Gain in grey levels per dB, a move of one pixel, a wider scan, crops of so many windows."""
    seen = {each.operator: each for each in pictures.Varied(row=rows[0]).pictures()}
    clean, louder = seen[pictures.CLEAN], seen["gain +3 dB"]
    inside = clean.mask & (clean.luma > 20) & (clean.luma < 200)

    assert 1 + len(pictures.VARIATIONS) == len(seen) == pictures.Varied(row=rows[0]).n_pictures
    steps = louder.luma[inside].astype(int) - clean.luma[inside]
    assert {12, 13} >= set(np.unique(steps))
    assert np.array_equal(clean.luma[:-1], seen["1 px down"].luma[1:])
    assert np.array_equal(clean.mask[:, :-1], seen["1 px aside"].mask[:, 1:])
    assert seen["scan 2 px narrower"].mask.sum() < clean.mask.sum()
    assert (224, 224) == seen["1 window"].luma.shape


@pytest.mark.parametrize(
    ("name", "n"), [("9 windows", 9), ("6 windows", 6), ("4 windows", 4), ("1 window", 1)]
)
def test_crops_hold_as_many_windows_as_they_say(name: str, n: int) -> None:
    """Of a scan of working size."""
    luma = np.full((448, 448), 90, np.uint8)
    scan = pictures.VARIATIONS[name](luma, np.ones_like(luma, np.bool_))

    assert n == len(windows_of(working_image(*scan)).corners)


def test_overlap_of_areas_is_counted_in_pixels() -> None:
    """A third of what either covers, and nothing of nothing."""
    a, b = np.zeros((2, 10, 10), np.bool_)
    a[:, :4], b[:, 2:6] = True, True

    assert boxes.iou(a, b) == pytest.approx(1 / 3)
    assert 0 == boxes.iou(a & b & ~a, b & ~b)
