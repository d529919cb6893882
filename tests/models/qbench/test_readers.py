"""Data sets as they lie on the disk, and refusals that say where."""

import json
from pathlib import Path

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.degrade.matched import eight_bits, matched_strength, psnr_db
from sonoquality.errors import BenchError
from sonoquality.preprocess import working_image
from sonoquality.qbench import ladders, readers
from sonoquality.qbench.drawing import of_unlike_grades
from sonoquality.qbench.items import CLASSES, LADDER, MATCHED, Item
from tests.models.phantoms import SCANS, tissue
from tests.models.qbench.phantom_sets import collection, folders


def test_folders_of_grades_are_read_with_their_patients(tmp_path: Path) -> None:
    """Folders below a grade are patients; what is no picture is passed over."""
    bench = readers.read_folder(folders(tmp_path / "IVUSQA"), organ="coronary artery")

    assert "IVUSQA" == bench.name
    assert readers.Form.FOLDER == readers.form_of(tmp_path / "IVUSQA")
    assert 12 == len(bench.items)
    assert {"P0", "P1", "P2", "P3"} == {item.patient for item in bench.items}
    first = next(item for item in bench.items if item.id == "Low/P1/1.png")
    assert ("low", 0, "coronary artery") == (first.label, first.grade, first.organ)
    assert (260, 320) == first.read()[0].shape


def test_without_patients_every_picture_stands_alone(tmp_path: Path) -> None:
    """Nothing is guessed from names of files."""
    bench = readers.read_folder(folders(tmp_path, with_patients=False))

    assert 12 == len({item.patient for item in bench.items})


def test_a_table_of_labels_in_a_folder_counts(tmp_path: Path) -> None:
    """Further columns are attributes; paths stand beside the table."""
    folders(tmp_path)
    (tmp_path / "labels.csv").write_text(
        "path,label,score,patient,clarity\nHigh/P0/0.png,High,91,a,80\nLow/P0/0.png,,12.5,a,\n"
    )
    found = readers.read_folder(tmp_path).items

    assert [("high", 91.0), ("", 12.5)] == [(item.label, item.score) for item in found]
    assert [{"clarity": "80"}, {}] == [dict(item.attrs) for item in found]
    assert found[0].read()[0].any()


def test_json_lines_are_a_table_too(tmp_path: Path) -> None:
    """With attributes as an object."""
    line = {"id": "7", "path": "7.png", "label": "medium", "attrs": {"question": "Is it there?"}}
    (tmp_path / "set.jsonl").write_text(json.dumps(line) + "\n\n")
    (found,) = readers.read_table(tmp_path / "set.jsonl").items

    assert ("7", "medium", "7") == (found.id, found.label, found.patient)
    assert "Is it there?" == found.attrs["question"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,label\n,high\n", "line 2: no path"),
        ("path,label\na.png,high\nb.png,good\n", "line 3: label 'good'; it is one of low"),
        ("path,label\na.png,\n", "line 2: label ''"),
        ("path,label,score\na.png,high,120\n", "line 2: score '120' is not between"),
        ("path,label,score\na.png,high,best\n", "line 2: score 'best' is not between"),
        ("path,label\na.png,high\na.png,low\n", "2 pictures have the id a.png"),
        ("path,label\n", "No graded picture found"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, content: str, said: str
) -> None:
    """A typing error must not become a grade."""
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(BenchError, match=said):
        readers.read_table(tmp_path / "t.csv")


def test_graded_rows_of_a_collection_are_for_evaluation_only(tmp_path: Path) -> None:
    """Grades by their names there, patients by group; clean rows stay out."""
    bench = readers.read_graded(collection(tmp_path))

    assert bench.evaluation_only
    assert readers.Form.GRADED == readers.form_of(tmp_path)
    assert {"low": 4, "medium": 4, "high": 4} == {
        label: sum(item.label == label for item in bench.items)
        for label in ("low", "medium", "high")
    }
    assert {"p0", "p1", "p2", "p3"} == {item.patient for item in bench.items}
    assert {"4CH"} == {item.view for item in bench.items}


def test_pairs_are_of_one_organ_and_of_unlike_grades() -> None:
    """As many of each two grades; none twice; the better one stands first."""
    items = [
        Item(id=f"{organ}{label}{i}", path="", organ=organ, label=label)
        for organ in ("heart", "liver")
        for label in ("low", "medium", "high")
        for i in range(5)
    ]
    pairs = of_unlike_grades(items, n_pairs=60)
    by_id = {item.id: item for item in items}

    assert 60 == len(set(pairs))
    for pair in pairs:
        better, worse = by_id[pair.better], by_id[pair.worse]
        assert better.organ == worse.organ
        assert pair.gap == better.grade - worse.grade > 0
    assert 20 == sum(pair.gap == 2 for pair in pairs)
    assert {CLASSES} == {pair.kind for pair in pairs}
    assert 150 == len(set(of_unlike_grades(items, n_pairs=999)))


def test_ladders_pair_levels_of_one_fault_on_one_picture(tmp_path: Path) -> None:
    """The higher level is the worse one; every gap comes as often; grades are synthetic."""
    bench = ladders.make(collection(tmp_path), per_source=1, n_pairs=50)
    by_id = bench.by_id()
    drawn = [pair for pair in bench.pairs if pair.kind == LADDER]

    assert bench.synthetic
    assert 50 == len(set(drawn))
    assert [10] * 5 == [sum(pair.gap == gap for pair in drawn) for gap in degrade.LEVELS]
    for pair in drawn:
        better, worse = by_id[pair.better].made, by_id[pair.worse].made
        assert better is not None
        assert worse is not None
        assert pair.gap == worse.level - better.level
        assert better.operator in ("", worse.operator)
    spoiled = next(item for item in bench.items if item.made and item.made.level == 5)
    assert spoiled.made is not None
    assert spoiled.score == degrade.provisional_quality({spoiled.made.operator: 5})


def test_matched_pairs_have_one_psnr(tmp_path: Path) -> None:
    """Shadow and noise as they are read back, in 8 bits; the noise has no grade."""
    bench = ladders.make(collection(tmp_path), per_source=1, n_pairs=1)
    by_id = bench.by_id()
    matched = [pair for pair in bench.pairs if pair.kind == MATCHED]
    assert matched
    for pair in matched:
        shadowed, noisy = by_id[pair.better], by_id[pair.worse]
        clean = Item(id="", path=shadowed.path)
        working = working_image(*clean.read())
        width, height = working.size
        image, mask = working.image[:height, :width], working.mask[:height, :width]
        decibels = [
            psnr_db(image, np.asarray(item.read()[0] / 255, np.float32), mask)
            for item in (shadowed, noisy)
        ]
        assert decibels[0] == pytest.approx(decibels[1], abs=0.11)
        assert ("", None) == (noisy.label, noisy.score)


def test_a_strength_that_no_level_has_is_found_by_halving() -> None:
    """Noise at 25 dB; and none at a PSNR that noise cannot have."""
    image, mask = tissue(SCANS["linear"]), SCANS["linear"]
    strength = matched_strength("SPK", image, mask, 25.0, 1)
    assert strength is not None
    found = eight_bits(degrade.apply_at("SPK", image, mask, strength, 1))

    assert 25 == pytest.approx(psnr_db(image, found, mask), abs=0.1)
    assert matched_strength("SPK", image, mask, 90.0, 1) is None
