"""Language models as diagnosticians of the collection, out of fold."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoquality.cli import main
from tests.models.training import collection

pytest.importorskip("transformers")
pytestmark = pytest.mark.train
RECIPE = """
n_steps = 1
n_pictures = 2
bf16 = false

[shape]
side = 56
vision_width = 32
vision_depth = 1
text_width = 32
text_depth = 1
heads = 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scans of three sources, all lesions of one class."""
    folder = collection.draw(tmp_path_factory.mktemp("collection") / "data")
    text = (folder / "INDEX.csv").read_text().splitlines()
    labelled = [f"{text[0]},class_label", *(f"{line},{_label(line)}" for line in text[1:])]
    (folder / "INDEX.csv").write_text("\n".join(labelled) + "\n")
    return folder


def _label(line: str) -> str:
    return next(
        label
        for source, label in {"aul": "Normal", "hc18": "", "mmotu": "Simple_Cyst"}.items()
        if line.startswith(source)
    )


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of two folds and of all rows, hardly trained."""
    out = tmp_path_factory.mktemp("run")
    (out / "recipe.toml").write_text(RECIPE)
    for fold in (["--fold", "0"], ["--fold", "1"], []):
        words = ["--config", out / "recipe.toml", "--data", data, "--out", out, "--folds", "2"]
        with pytest.raises(SystemExit, match="0"):
            main(["train", "mllm", *map(str, words), *fold])
    return out


def test_a_case_is_asked_of_a_network_that_never_saw_it(data: Path, run: Path) -> None:
    """By the record of each run; validation cases by the network of all rows."""
    import json

    from sonoquality.labelling.cases import all_cases
    from sonoquality.labelling.language import run_of

    for case in all_cases(data):
        judge = run_of(case.row, 2)
        learned = json.loads((run / judge / "record.json").read_text())["pictures"]
        assert case.row.sha256 not in learned
        assert ("all" == judge) == (case.row.split == "val")


def test_losses_are_those_of_the_truth_and_of_the_own_answer(data: Path, run: Path) -> None:
    """Two columns; on the clean picture none costs less than the own answer; black surroundings."""
    from sonoquality.labelling.cases import all_cases
    from sonoquality.labelling.language import LanguageDiagnostician

    who = LanguageDiagnostician(run, 2)
    case = next(each for each in all_cases(data) if who.has(each))
    read = case.read()
    inside = read.mask.copy()
    inside[:30] = False
    scan = replace(read, mask=inside)
    clean = np.rint(scan.image * 255).astype(np.uint8)
    outside = np.where(scan.mask, clean, 255).astype(np.uint8)
    losses = who.losses(case, scan, np.stack([clean, clean // 3, outside]))

    asked = {question.kind for question in who.questions(case)}
    assert asked < {question.kind for question in who.all_questions(case)}
    assert "organ" not in asked  # the frame tells it
    assert (3, 2) == losses.shape
    assert losses[0, 1] <= losses[0, 0] + 1e-6
    assert losses[0] == pytest.approx(losses[2])
    assert losses[0] != pytest.approx(losses[1], abs=1e-9)


def test_the_tables_hold_every_question_and_every_rung(
    data: Path, run: Path, tmp_path: Path
) -> None:
    """One command; a clean rung and five spoiled ones of each ladder."""
    words = ["--data", data, "--out", tmp_path, "--run", run, "--folds", "2"]
    with pytest.raises(SystemExit, match="0"):
        main(["try", "language", *map(str, words), "--per-source", "1", "--operators", "SPK,SHA"])
    tables = {}
    for path in tmp_path.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            tables[path.stem] = list(csv.DictReader(file))
    asked, rungs = tables["language-answers"], tables["language-ladders"]

    assert {"organ", "lesion", "finding", "place", "size", "shape"} == {
        line["kind"] for line in asked
    }
    assert {"0", "1", "2", "3", "4", "5"} == {line["level"] for line in rungs}
    assert {"SPK", "SHA"} == {line["operator"] for line in rungs}
    clean = {
        (line["sha256"], line["kind"]): line["loss_accuracy"]
        for line in rungs
        if line["level"] == "0"
    }
    table = {(line["sha256"], line["kind"]): line["loss_clean"] for line in asked}
    assert clean.items() <= table.items()
