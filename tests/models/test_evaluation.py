"""The page of results: its numbers by hand, and one small run from images to page."""

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality import degrade, evaluation, evaluation_page
from sonoquality.agreement import Interval
from sonoquality.evaluation import SCORERS, Sample, pick
from sonoquality.evaluation_ladders import Ladders
from sonoquality.model import QualityModel
from sonoquality.training.data import Row
from tests.models.phantoms import SCANS, tissue


def row(number: int, source: str = "liver", group: str | None = None) -> Row:
    """An image that is never read."""
    return Row(
        path=Path(f"{number}.png"),
        source=source,
        organ=source,
        group=group or f"{source}-{number}",
        split="val",
        licence="CC BY 4.0",
        non_commercial=False,
        quality_label="",
        sha256=f"{number:064x}",
    )


def sample(image: Row, operator: str, level: int, ranks: tuple[float, float, float]) -> Sample:
    """A sample with these ranks."""
    return Sample(row=image, operator=operator, level=level, quality=50, ranks=ranks, faults={})


def ladders() -> Ladders:
    """Two images: the model falls with the level, the second scorer rises, the third wavers."""
    clean, spoiled = [], []
    for image in (row(1), row(2, "heart")):
        clean.append(sample(image, "none", 0, (0.0, 0.0, 0.0)))
        for name in degrade.OPERATORS:
            for level in degrade.LEVELS:
                ranks = (-float(level), float(level), float(level % 2))
                spoiled.append(sample(image, name, level, ranks))
    return Ladders(clean, spoiled)


def test_steps_in_order_are_those_that_fall() -> None:
    """Up, down, up, down, up: two of five steps fall."""
    found = ladders()
    everything = found.images()

    assert [1.0, 0.0, 0.4] == [found.in_order(scorer, 0, everything) for scorer in range(3)]
    assert (1.0, 0.0) == (found.perfect(0, 0), found.perfect(2, 0))


def test_a_fall_below_every_clean_image_is_seen_always() -> None:
    """AUROC 1 for the model, 0 for the scorer that runs the wrong way."""
    found = ladders()

    assert 1.0 == found.detected(0, 0, 1, found.images())
    assert 0.0 == found.detected(1, 0, 1, found.images())


def test_the_page_says_where_a_classic_measure_wins() -> None:
    """Nobody has to find it in the tables."""
    found = ladders()
    assert "Nowhere" in evaluation_page.baseline_wins(found)

    found.ranks[[0, 1]] = found.ranks[[1, 0]]

    assert f"G-: {SCORERS[1]} has 1.00" in evaluation_page.baseline_wins(found)
    assert "ANN" not in evaluation_page.baseline_wins(found)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (Interval(0.36, 0.28, 0.44), "worse than chance"),
        (Interval(0.52, 0.45, 0.6), "can't be told from chance"),
        (Interval(0.7, 0.6, 0.8), "The model loses to it (0.70)."),
    ],
)
def test_a_failure_on_hearts_is_said_in_words(own: Interval, said: str) -> None:
    """A number in a table is easily passed over; a warning is not."""
    other = Interval(0.87, 0.81, 0.93)

    assert said in evaluation_page.hearts_in_words([own, other, own])
    assert "Model orders pairs best" in evaluation_page.hearts_in_words([other, own, own])


def test_images_are_spread_over_groups_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of one video are one piece of evidence: other groups come first."""
    monkeypatch.setattr(evaluation, "PER_SOURCE", 2)
    video = [row(number, group="video") for number in range(1, 6)]
    chosen = pick([*video, row(9), row(10, "heart")])

    assert ["heart", "liver", "liver"] == [each.source for each in chosen]
    assert {"video", "liver-9", "heart-10"} == {each.group for each in chosen}


def collection(folder: Path) -> Path:
    """A tiny collection: two validation scans and six graded ones of two patients."""
    lines = []
    for number in range(8):
        split, label = (
            ("val", "") if number < 2 else ("eval", ("Poor", "Medium", "Good")[number % 3])
        )
        grey = tissue(SCANS["linear"], seed=number)
        level = {"Poor": 5, "Medium": 3}.get(label, 0)
        spoiled = degrade.apply("DEF", grey, SCANS["linear"], level, number)
        path = folder / f"{number}.png"
        Image.fromarray((spoiled * 255).astype(np.uint8)).save(path)
        lines.append(
            {
                "path": path.name,
                "source": "heart" if label else "liver",
                "group": f"patient-{number % 2}",
                "split": split,
                "licence": "CC0-1.0",
                "non_commercial": "Y" if label else "N",
                "quality_label": label,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        )
    with (folder / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return folder


@pytest.mark.slow
def test_an_evaluation_ends_in_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From images to Markdown, with the ledger of the heart set; a second run adds no variant."""
    from sonoquality.zoo import default_zoo

    monkeypatch.setattr(evaluation, "PER_SOURCE", 1)
    entry = default_zoo() / "dct-manifold" / "1.0.0"
    told: list[tuple[str, int, int]] = []
    data = collection(tmp_path)

    page = evaluation.evaluate(data, tmp_path / "out", entry, lambda *work: told.append(work))
    text = page.read_text(encoding="utf-8")

    assert "6 frames of 2 patients: 2 poor, 2 medium, 2 good" in text
    assert "Variants of our models ever scored on this set: 1" in text
    assert text.count("\n| DEF |") == 2
    assert ("ladders", 100, 100) in told
    model = QualityModel.load(entry)
    ledger = tmp_path / "out" / evaluation.LEDGER
    assert 1 == evaluation.note(ledger, model)
    other = replace(model, card=replace(model.card, sha256="0" * 64))
    assert 2 == evaluation.note(ledger, other)
    assert 2 == len(ledger.read_text(encoding="utf-8").splitlines())
