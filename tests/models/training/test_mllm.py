"""The small multimodal model learns from what it may, and is asked what the labels know."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sonoquality.cli import main
from sonoquality.training.data import read_index
from tests.conftest import ROOT
from tests.models.training import collection

pytest.importorskip("transformers")
pytestmark = pytest.mark.train
RECIPE = """
n_steps = {n_steps}
n_pictures = 4
checkpoint_steps = 1
bf16 = false

[shape]
side = 56
vision_width = 32
vision_depth = 1
text_width = 32
text_depth = 1
heads = 2
"""
CLASSES = {"aul_liver": "Benign", "mmotu_ovary": "Simple_Cyst", "hc18_fetal_head": "standard"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scans of three sources with classes; the liver's organ is its mass."""
    folder = collection.draw(tmp_path_factory.mktemp("collection") / "data")
    with (folder / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["class_label"] = CLASSES[row["source"]]
        if row["source"] == "aul_liver" and row["group"].endswith(("1", "3", "5")):
            row["class_label"] = "Normal"
    with (folder / "INDEX.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def train(tmp_path: Path, data: Path, out: str, n_steps: int, fold: str = "1") -> Path:
    """Train for some steps; returns the fold's folder."""
    recipe = tmp_path / f"{n_steps}.toml"
    recipe.write_text(RECIPE.format(n_steps=n_steps))
    words = ["--config", recipe, "--data", data, "--out", tmp_path / out, "--folds", "2"]
    words += ["--fold", fold] if fold else []
    with pytest.raises(SystemExit, match="0"):
        main(["train", "mllm", *map(str, words)])
    return tmp_path / out / (f"fold-{fold}" if fold else "all")


class KilledError(Exception):
    """Stands in for a kill."""


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path, data: Path) -> None:
    """Killed after the second of three steps, before its checkpoint."""
    import torch

    from sonoquality.training.mllm import loop
    from sonoquality.training.mllm.config import read_config

    def kill(work: str, done: int, total: int) -> None:
        if (work, done, total) == ("learning fold-1", 2, 3):
            raise KilledError

    whole = train(tmp_path, data, "whole", 3)
    with pytest.raises(KilledError):
        loop.train(read_config(tmp_path / "3.toml"), data, tmp_path / "killed", (2, 1), kill)
    again = train(tmp_path, data, "killed", 3)

    a, b = (torch.load(each / "mllm.pt", weights_only=True) for each in (whole, again))
    for key, value in a.items():
        assert torch.equal(value, b[key]), key


def test_a_network_never_learns_from_what_it_is_to_judge(tmp_path: Path, data: Path) -> None:
    """Only permissive training rows, none of the fold; together the folds judge all of them."""
    from sonoquality.labelling.folds import fold_of

    rows = {row.sha256: row for row in read_index(data)}
    may = {key for key, row in rows.items() if row.split == "train" and not row.non_commercial}
    learned = {}
    for fold in ("0", "1", ""):
        record = json.loads((train(tmp_path, data, "run", 1, fold) / "record.json").read_text())
        learned[fold] = set(record["pictures"])

    assert may == learned[""]
    assert set() == learned["0"] & learned["1"]
    assert may == learned["0"] | learned["1"]
    assert {1} == {fold_of(rows[key], 2) for key in learned["0"]}


def test_a_network_says_that_it_was_trained_here_and_a_stranger_does_not(
    tmp_path: Path, data: Path
) -> None:
    """What the benchmark's page and its ledger tell of it."""
    from sonoquality.mllm.local import about

    folder = train(tmp_path, data, "run", 1) / "model"
    ours = about(folder)
    (folder / "config.json").write_text('{"model_type": "qwen2_vl"}')

    assert ours["says"].startswith("qwen2_vl, 0.")
    assert "trained here on questions of organ" in ours["says"]
    assert ("model", 64) == (ours["model"], len(ours["sha256"]))
    assert {"says": "qwen2_vl"} == about(folder)


def test_answers_follow_the_outline() -> None:
    """Where, how large and of what shape, of a drawn outline and of its mirror picture."""
    from sonoquality.training.mllm import questions
    from sonoquality.training.mllm.questions import Known, questions_of

    known = Known(organ="breast", lesion=True, finding="benign", thing=questions.LESION)
    outline = np.zeros((112, 112), np.bool_)
    outline[20:30, 70:100] = True
    found = {q.kind: q.answer for q in questions_of(known, outline)}
    mirrored = {q.kind: q.answer for q in questions_of(known, outline[:, ::-1])}

    assert {
        "organ": "breast",
        "lesion": "yes",
        "finding": "benign",
        "place": "upper right",
        "size": "small",
        "shape": "flat",
    } == found
    assert "upper left" == mirrored["place"]
    assert ["breast"] == [q.answer for q in questions_of(Known(organ="breast"), None)]


def test_every_answer_is_one_of_its_candidates_and_few_whole_words(data: Path) -> None:
    """As many tokens as words, so that no answer's loss counts how a word is cut."""
    from sonoquality.training.mllm.cases import squares, subjects
    from sonoquality.training.mllm.questions import questions_of
    from sonoquality.training.mllm.words import learn_tokenizer

    tokenizer = learn_tokenizer()
    found = subjects(data)
    seen = squares(found, 56)
    kinds = set()
    for subject, outline in zip(found, seen.outlines, strict=True):
        for question in questions_of(subject.known, outline >= 0.5):
            kinds.add(question.kind)
            assert question.answer in question.candidates
            for answer in question.candidates:
                assert len(answer.split()) == len(tokenizer.tokenize(f" {answer}")), answer

    assert {"organ", "lesion", "finding", "place", "size", "shape"} == kinds


def test_a_picture_without_tissue_is_asked_about_another() -> None:
    """Hidden pictures have no outline to learn; the frame alone must not tell the answer."""
    from sonoquality.training.mllm.cases import Squares
    from sonoquality.training.mllm.config import MllmConfig
    from sonoquality.training.mllm.lessons import Teacher
    from sonoquality.training.mllm.questions import Known
    from sonoquality.training.mllm.words import learn_tokenizer

    rng = np.random.default_rng(3)
    grey = np.full((8, 56, 56), 0.5, np.float32)
    seen = Squares(pictures=grey, outlines=np.zeros_like(grey), scans=np.ones_like(grey))
    teacher = Teacher([Known(organ="lung")] * 8, seen, learn_tokenizer())
    hidden = teacher.lesson(rng, MllmConfig(nothing_share=0.99, n_pictures=8))
    plain = teacher.lesson(rng, MllmConfig(nothing_share=0.0, n_pictures=8))

    assert (hidden.labels == -100).all()
    assert not hidden.outlined.any()
    assert (plain.labels != -100).all()
    assert plain.pictures.std() < 0.2 < hidden.pictures.std() + plain.pictures.mean()


def test_the_recipe_that_ships_is_read() -> None:
    """It is a whole configuration."""
    from sonoquality.training.mllm.config import read_config

    assert read_config(ROOT / "models" / "recipes" / "mllm.toml").n_steps > 100
