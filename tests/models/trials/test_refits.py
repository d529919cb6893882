"""Refits: which rows each fit sees, and who judges which image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality.training.data import Row
from sonoquality.training.experts import Encoder, ExpertsRecipe
from sonoquality.training.rankings import Rankings
from sonoquality.trials import refits, table
from sonoquality.trials.pictures import AsItIs
from tests.models import experts
from tests.models.phantoms import SCANS, tissue

RECIPE = ExpertsRecipe(components=(1,), variance_kept=0.9)


def row(folder: Path, number: int, source: str, split: str) -> Row:
    """Write a phantom and return its row; groups that end in `_all` calibrate nothing."""
    grey = np.rint(tissue(SCANS["fan"], number) * 255).astype(np.uint8)
    Image.fromarray(grey).save(folder / f"{number}.png")
    return Row(
        path=folder / f"{number}.png",
        source=source,
        organ=source,
        group=f"{source}_all",
        split=split,
        licence="CC0",
        non_commercial=False,
        quality_label="",
        sha256=f"{number:08x}" * 8,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[refits.Refits, list[Row]]:
    """Two sources to fit on, of which one alone has a validation image."""
    folder = tmp_path_factory.mktemp("rows")
    rows = [row(folder, i, "ab"[i // 2 % 2], "train") for i in range(12)]
    rows.append(row(folder, 12, "a", "val"))
    encoder = Encoder(
        sha256=experts.HASH,
        taps=experts.TAPS,
        reader=experts.reader(),
        encode=experts.encode,
    )
    rankings = Rankings(
        encoder_sha256=experts.HASH,
        all=experts.ranker(),
        without={"a": experts.ranker(5), "b": experts.ranker(6)},
    )
    return refits.Refits.gather(encoder, RECIPE, rankings, rows, lambda *_: None), rows


def test_each_source_is_judged_by_a_fit_without_it(
    made: tuple[refits.Refits, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one with a validation image by that; the other's own images by the other half."""
    monkeypatch.setattr(refits, "Spoiled", AsItIs)
    found, rows = made
    refits.run(tmp_path / "t.csv", found, rows, 3, lambda *_: None)
    lines = table.read(tmp_path / "t.csv")
    without_a = found.fit(lambda row: row.source != "a", found.rankings.without["a"])
    luma, mask = rows[-1].read()
    expected = found.judge(found.fit(lambda _: True, found.rankings.all), without_a)(luma, mask)

    assert ["a", "b", "b", "b"] == sorted(line["source"] for line in lines)
    ours = next(line for line in lines if line["source"] == "a")
    assert float(ours["unseen"]) == pytest.approx(expected["unseen"], rel=1e-4)
    assert float(ours["seen"]) == pytest.approx(expected["seen"], rel=1e-4)
    assert all(line["seen"] != line["unseen"] for line in lines)


def test_half_of_a_source_is_left_out_of_the_fit_that_judges_it(
    made: tuple[refits.Refits, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fit is asked which rows it keeps."""
    found, rows = made
    kept: list[set[str]] = []
    fit = refits.Refits.fit

    def watched(self: refits.Refits, keeps: refits.Keeps, ranker: object) -> object:
        kept.append({row.path.stem for row in self.rows if keeps(row)})
        return fit(self, keeps, ranker)  # type: ignore[arg-type]

    monkeypatch.setattr(refits, "Spoiled", AsItIs)
    monkeypatch.setattr(refits.Refits, "fit", watched)
    refits.run(tmp_path / "t.csv", found, rows, 3, lambda *_: None)
    assert {"train"} == {row.split for row in found.rows}
    a, b = ({row.path.stem for row in found.rows if row.source == name} for name in "ab")
    even = {row.path.stem for row in found.rows if row.source == "b" and row.seed % 2 == 0}

    assert [a | b, b, a, a | (b - even), a | even] == kept
