"""From a folder of graded pictures to a leaderboard, by the commands that a user types."""

from pathlib import Path

import pytest
from PIL import Image

from sonoquality.cli import main
from sonoquality.evaluation import LEDGER
from sonoquality.qbench.entrants import LOCAL_ROOM
from sonoquality.results import rows
from tests.models.mllm.chat_server import Behaviour, serve
from tests.models.qbench.phantom_sets import collection, folders

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def bench(*arguments: object) -> None:
    """Type `sonoquality qbench ...`."""
    try:
        main(["qbench", *map(str, arguments)])
    except SystemExit as done:
        assert not done.code  # noqa: PT017 - a command ends by raising


def number(folder: Path, **which: str) -> float:
    """Return one number of the table."""
    found = [
        row
        for row in rows.read(folder / "csv" / "qbench-table.csv")
        if all(row[key] == value for key, value in which.items())
    ]
    assert 1 == len(found), found
    return float(found[0]["value"])


def test_a_folder_in_the_datasets_form_ends_in_a_leaderboard(tmp_path: Path) -> None:
    """Measures, those who see nothing, and a language model behind a server, side by side."""
    data = folders(tmp_path / "CardiacUltraQA")
    out, results = tmp_path / "answers", tmp_path / "docs" / "results"
    entrants = ("--entrant", "dct-manifold", "--entrant", "tenengrad", "--entrant", "constant")
    asked = ("run", "--data", data, "--out", out, "--pairs", 6, "--organ", "heart")
    with serve(Behaviour(answer="low")) as url:
        endpoint = ("--endpoint", url, "--model", "org/echo", "--prompt", 2)
        bench(*asked, *entrants, *endpoint)
    bench("report", "--answers", out, "--out", results)
    page = (results / "qbench.md").read_text("utf-8")
    overall = {"measure": "SRCC", "of": "overall"}

    assert number(results, entrant="tenengrad", **overall) > 0.9
    assert 1 == number(results, entrant="tenengrad", of="classes", measure="accuracy")
    assert 1 / 3 == pytest.approx(number(results, entrant="constant", of="raw", measure="accuracy"))
    assert 0 == number(results, entrant="org/echo", level="2", of="said", measure="invalid")
    assert "| org/echo, prompt 2 | raw |" in page
    assert "| org/echo | language model |  | prompt_logprobs |" in page
    assert "| tenengrad | clustered* |" in page
    assert "evaluation only" not in page
    assert not (results / LEDGER).exists()
    for name in ("confusion", "scatter", "gaps"):
        with Image.open(tmp_path / "docs" / "images" / f"qbench-{name}.png") as picture:
            assert len(set(picture.convert("L").tobytes())) > 3


def test_looks_at_the_graded_set_are_noted(tmp_path: Path) -> None:
    """The models of ours that were scored enter the ledger, once; ladders enter nothing."""
    data = collection(tmp_path / "data")
    out, results = tmp_path / "answers", tmp_path / "docs" / "results"
    by = ("--entrant", "dct-manifold", "--pairs", 6, "--out", out)
    bench("run", "--data", data, *by)
    bench("run", "--data", data, "--form", "ladders", "--per-source", 1, *by)
    for _ in range(2):
        bench("report", "--answers", out, "--out", results)
    page = (results / "qbench.md").read_text("utf-8")

    assert 1 == len((results / LEDGER).read_text().splitlines())
    assert "`heart`: evaluation only" in page
    assert "faults put on (synthetic)" in page
    assert "matched 3" in page
    assert {"heart", "ladders"} == {
        row["bench"] for row in rows.read(results / "csv" / "qbench-sets.csv")
    }


def test_an_entrant_that_was_cut_off_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an interview would be half a truth."""
    data = folders(tmp_path / "set")
    bench("run", "--data", data, "--out", tmp_path / "a", "--entrant", "constant")
    bench("run", "--data", data, "--out", tmp_path / "a", "--entrant", "tenengrad")
    path = tmp_path / "a" / "set" / "constant.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    bench("report", "--answers", tmp_path / "a", "--out", tmp_path / "docs" / "results")

    assert "left out: constant: 3 questions on set" in capsys.readouterr().out
    page = (tmp_path / "docs" / "results" / "qbench.md").read_text("utf-8")
    assert "constant, prompt 1" not in page
    assert "| tenengrad | clustered* |" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name an --entrant"),
        (("--endpoint", "http://localhost:1/v1"), "--endpoint needs --model"),
        (("--entrant", "nrk"), "No entrant 'nrk'"),
    ],
)
def test_a_run_that_cannot_be_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is read."""
    with pytest.raises(SystemExit):
        main(["qbench", "run", "--data", str(tmp_path), "--out", str(tmp_path / "o"), *arguments])

    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_local_model_without_the_extra_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, LOCAL_ROOM, None)
    with pytest.raises(SystemExit):
        main(["qbench", "run", "--data", str(tmp_path), "--out", str(tmp_path), "--local", "w"])

    assert "pip install 'sonogate[train]'" in capsys.readouterr().err
