"""Runs: who is asked what, what is kept, and what a killed run leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from sonoquality.arrays import Luma, Mask
from sonoquality.errors import BenchError, MissingExtraError
from sonoquality.mllm.floors import ConstantMultimodal, RandomMultimodal
from sonoquality.qbench import entrants, kept, prompts, readers
from sonoquality.qbench.answers import Answers
from sonoquality.qbench.entrants import Measured, Metric, Speaker
from sonoquality.qbench.items import Bench, Item
from sonoquality.qbench.run import mean_picture, run
from tests.conftest import ROOT
from tests.models.phantoms import SCANS, tissue
from tests.models.qbench.phantom_sets import folders


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Twelve phantoms of four patients, and six pairs."""
    return readers.read_folder(folders(tmp_path / "phantoms"), n_pairs=6, organ="liver")


class Noting:
    """A language model that notes what it is asked and likes bright pictures."""

    name = "org/noting"

    def __init__(self, fails_after: int = 10**9) -> None:
        self.asked: list[tuple[int, str]] = []
        self._fails_after = fails_after

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Note and answer."""
        self.asked.append((len(images), prompt))
        if len(self.asked) > self._fails_after:
            raise KeyboardInterrupt
        return [float(images[0].mean()) - i for i in range(len(candidates))]

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Answer."""
        return "It is high."


def quiet(*_: object) -> None:
    """Draw no bar."""


def test_each_prompt_helps_more_than_the_one_before() -> None:
    """The organ and what to look at come second, the clinician's question third."""
    item = Item(id="", path="", organ="liver", attrs={"question": "Is it fat?"})
    one, two, three = (prompts.classify(item, level).prompt for level in prompts.LEVELS)

    assert one.startswith("Rate the quality of this ultrasound image: high, medium or low.")
    assert all(prompt.endswith("\nThe quality is") for prompt in (one, two, three))
    assert "liver" not in one
    assert "of the liver" in two
    assert "shadow, reverberation" in two
    assert "?" not in two
    assert 'answer "Is it fat?" from this image alone? High = confidently' in three
    assert "Both are ultrasound images of the liver." in prompts.compare(item, 2).prompt


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("The quality is high.", "high"),
        ("LOW", "low"),
        ("high or medium", ""),
        ("I cannot say", ""),
        ("highly unusual, slow", ""),
        ("", ""),
    ],
)
def test_an_answer_counts_if_it_names_one_grade(text: str, band: str) -> None:
    """Whole words; two grades, or none, are no answer."""
    assert band == prompts.said_band(text)


def test_a_language_model_is_asked_everything_in_both_orders(bench: Bench, tmp_path: Path) -> None:
    """Two pictures without content, six questions a picture, each pair twice."""
    model = Noting()
    run(bench, [Speaker(name=model.name, model=model)], tmp_path / "out", quiet, levels=(2,))
    answers = kept.answers_of(tmp_path / "out" / "phantoms", model.name)

    assert 2 + 12 * (1 + 1 + 4) + 6 * 2 == len(answers)
    assert 2 * len(bench.pairs) == sum(n == 2 for n, _ in model.asked)
    pair = bench.pairs[0]
    orders = [
        answers.get(f"compare/2/{a}/{b}")
        for a, b in ((pair.better, pair.worse), (pair.worse, pair.better))
    ]
    assert None not in orders
    assert orders[0] != orders[1]


def test_a_run_cut_off_goes_on_without_asking_twice(bench: Bench, tmp_path: Path) -> None:
    """In the middle of anything; a line half written is asked again."""
    broken = Noting(fails_after=20)
    with pytest.raises(KeyboardInterrupt):
        run(bench, [Speaker(name="a", model=broken)], tmp_path / "out", quiet, levels=(1,))
    path = tmp_path / "out" / "phantoms" / "a.jsonl"
    n_kept = len(path.read_text().splitlines())
    with path.open("a") as file:
        file.write('{"key": "rate/overall/1/High/P')
    whole, again = Noting(), Noting()
    run(bench, [Speaker(name="a", model=again)], tmp_path / "out", quiet, levels=(1,))
    run(bench, [Speaker(name="b", model=whole)], tmp_path / "out", quiet, levels=(1,))
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert 20 < n_kept < len(lines)
    assert len(whole.asked) - 20 == len(again.asked)
    assert lines == [
        json.loads(line) for line in (path.parent / "b.jsonl").read_text().splitlines()
    ]


@pytest.mark.integration
@pytest.mark.slow
def test_a_killed_process_loses_one_answer_at_most(tmp_path: Path) -> None:
    """SIGKILL in the middle; the same command goes on and ends as an unbroken run does."""
    folders(tmp_path / "phantoms")
    command = [sys.executable, "-m", "sonoquality.cli", "qbench", "run", "--entrant", "random"]
    command += ["--data", str(tmp_path / "phantoms"), "--out"]
    path = tmp_path / "out" / "phantoms" / "random.jsonl"
    process = subprocess.Popen([*command, str(tmp_path / "out")], stdout=subprocess.DEVNULL)
    for _ in range(6000):
        if path.exists() and path.stat().st_size:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_kept = len(path.read_bytes().splitlines())
    for out in ("out", "unbroken"):
        subprocess.run([*command, str(tmp_path / out)], check=True, stdout=subprocess.DEVNULL)
    unbroken = tmp_path / "unbroken" / "phantoms" / "random.jsonl"

    assert n_kept > 0
    assert sorted(unbroken.read_text().splitlines()) == sorted(path.read_text().splitlines())


def test_measures_see_every_picture_once_together(bench: Bench, tmp_path: Path) -> None:
    """A second entrant is measured without the first one again."""
    seen: list[str] = []

    def metric(name: str) -> Metric:
        def measure(luma: Luma, mask: Mask) -> Measured:
            seen.append(name)
            return Measured(value=float(luma.mean()))

        return Metric(name=name, measure=measure)

    run(bench, [metric("a")], tmp_path / "out", quiet)
    run(bench, [metric("a"), metric("b")], tmp_path / "out", quiet)

    assert {"a": 12, "b": 12} == {name: seen.count(name) for name in seen}


def test_another_data_set_of_the_name_is_refused(bench: Bench, tmp_path: Path) -> None:
    """Its answers would be mixed up; moved pictures are the same set."""
    run(bench, [], tmp_path / "out", quiet)
    moved = readers.read_folder(folders(tmp_path / "elsewhere" / "phantoms"), 6, "liver")
    run(moved, [], tmp_path / "out", quiet)
    other = readers.read_folder(tmp_path / "phantoms", 5, "liver")
    with pytest.raises(BenchError, match="holds another data set"):
        run(other, [], tmp_path / "out", quiet)


def test_another_model_of_the_name_is_refused(bench: Bench, tmp_path: Path) -> None:
    """A score of yesterday's model must not stand under today's."""
    for sha256 in ("1", "1"):
        one = Metric(name="m", measure=lambda *_: Measured(value=1.0), about={"sha256": sha256})
        run(bench, [one], tmp_path / "out", quiet)
    two = Metric(name="m", measure=lambda *_: Measured(value=1.0), about={"sha256": "2"})
    with pytest.raises(BenchError, match="its sha256 differs"):
        run(bench, [two], tmp_path / "out", quiet)


def test_a_data_set_is_read_back_as_it_was(bench: Bench, tmp_path: Path) -> None:
    """A report needs the folder only."""
    assert bench == kept.read(kept.keep(tmp_path / "out", bench))


def test_entrants_are_known_by_name_and_the_unknown_is_told_who_is() -> None:
    """The bands of the shipped models are those of their cards."""
    grey = np.tile(np.arange(0, 255, dtype=np.uint8), (255, 1))
    shipped = entrants.named("dct-manifold")
    assert isinstance(shipped, Metric)
    assert shipped.measure(grey, grey >= 0).band in ("low", "medium", "high")
    everyone = [each.name for each in entrants.all_named(["metrics"])]
    assert {"nrq", "dct-manifold", "niqe", "tenengrad"} <= set(everyone)
    assert "chance" not in everyone
    with pytest.raises(BenchError, match="there are metrics, joined, nrq"):
        entrants.named("nrk")


def test_medqm_takes_part_where_torch_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name its extra is named; among the metrics it is left out."""
    monkeypatch.setitem(sys.modules, entrants.MEDQM_ROOM, None)

    assert "medqm" not in [each.name for each in entrants.all_named(["metrics"])]
    with pytest.raises(MissingExtraError, match=r"sonogate\[train\]"):
        entrants.named("medqm")


@pytest.mark.train
def test_medqm_s_utility_falls_with_blur() -> None:
    """A number of 0 to 100 without bands, by the weights that the zoo names."""
    pytest.importorskip("torch")
    medqm = entrants.named("medqm")
    assert isinstance(medqm, Metric)
    clear = np.rint(tissue(SCANS["fan"], 1) * 255).astype(np.uint8)
    mask = np.asarray(SCANS["fan"], np.bool_)
    blurred = ndimage.gaussian_filter(clear, 6)
    clear_says, blurred_says = (medqm.measure(each, mask) for each in (clear, blurred))

    assert 0 <= blurred_says.value < clear_says.value <= 100
    assert clear_says.band is None
    assert {"model", "version", "sha256"} == set(medqm.about)


def test_files_of_models_with_paths_for_names_stay_apart() -> None:
    """`a/b` and `a-b` are two models."""
    assert "nrq" == entrants.file_name("nrq")
    assert entrants.file_name("a/b") != entrants.file_name("a-b")
    assert "/" not in entrants.file_name("a/b")


def test_those_who_see_nothing_are_steady() -> None:
    """Dice fall alike for the same question, else in another order; the constant never moves."""
    grey: Luma = np.zeros((4, 4), np.uint8)
    dice, constant = RandomMultimodal(), ConstantMultimodal()
    words = (" a", " b", " c")

    assert dice.logprobs([grey], "x", words) == dice.logprobs([grey], "x", words)
    assert dice.logprobs([grey], "x", words) != dice.logprobs([grey], "y", words)
    assert constant.logprobs([grey], "x", words) == constant.logprobs([grey + 1], "y", words)
    assert 1 == pytest.approx(np.exp(dice.logprobs([grey], "x", words)).sum())


def test_the_mean_picture_is_the_mean(bench: Bench) -> None:
    """Of the pictures at one size."""
    found = mean_picture(bench.items)
    greys = [item.read()[0].mean() for item in bench.items]

    assert (224, 224) == found.shape
    assert np.mean(greys) == pytest.approx(found.mean(), abs=1.0)


def test_a_broken_line_of_answers_is_named(tmp_path: Path) -> None:
    """Someone edited the file; the message says which line."""
    (tmp_path / "a.jsonl").write_text('{"key": "x", "value": 1}\nnonsense\n')
    with pytest.raises(BenchError, match="line 2"):
        Answers(tmp_path / "a.jsonl")


@pytest.mark.slow
def test_the_benchmark_needs_no_torch(tmp_path: Path) -> None:
    """Measures and servers are asked where torch was never installed."""
    folders(tmp_path / "phantoms")
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('torch', 'transformers'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from sonoquality.cli import main\n"
        f"main(['qbench', 'run', '--data', {str(tmp_path / 'phantoms')!r}, '--entrant', 'metrics',"
        f" '--out', {str(tmp_path / 'out')!r}, '--pairs', '3'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert 0 == done.returncode, done.stderr
    assert "12 pictures, 3 pairs" in done.stdout.replace("\n", "")
