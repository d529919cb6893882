"""Short runs alike but for one thing: the same windows for all, one table that compares them."""

import csv
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sonoquality.training.data import INDEX
from tests.conftest import need_extra
from tests.models.training.test_fit import collection

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(400)]
torch = need_extra("torch", "train")
ablations = need_extra("sonoquality.training.encoder.ablations", "train")

from sonoquality.cli import app  # noqa: E402 - needs torch
from sonoquality.training.encoder.config import EncoderConfig, read_config  # noqa: E402

ROOT = Path(__file__).parents[3]
RUN = "n_steps = 5\nn_ladders = 2\n[bank]\nn_rounds = 1\n"


def test_every_run_sees_the_same_number_of_windows() -> None:
    """At most 60,000 each; hidden views count, so that run takes fewer steps."""
    base = read_config(ROOT / "models" / "recipes" / "ablation.toml")
    every = ablations.variants(base)

    assert {48_000} == {config.n_windows for config in every.values()}
    assert {600, 1000} == {config.n_steps for config in every.values()}
    assert {"severity", "detection", "ladder", "change", "texture", "masked"} <= {
        weight
        for config in every.values()
        for weight, value in config.weights.model_dump().items()
        if value != getattr(base.weights, weight)
    }


def test_an_older_record_without_a_weight_goes_on(tmp_path: Path) -> None:
    """A weight that came later is off in runs that began before it."""
    from sonoquality.training.encoder import record

    config = EncoderConfig(n_steps=1)
    record.begin(tmp_path, config, [], "bank")
    kept = (tmp_path / "record.json").read_text(encoding="utf-8")
    (tmp_path / "record.json").write_text(kept.replace(',\n        "masked": 0.0', ""), "utf-8")
    assert '"masked"' not in (tmp_path / "record.json").read_text(encoding="utf-8")

    record.begin(tmp_path, config, [], "bank")
    other = config.model_copy(update={"weights": config.weights.model_copy(update={"masked": 1.0})})
    with pytest.raises(ValueError, match="another"):
        record.begin(tmp_path, other, [], "bank")


def test_both_commands_end_in_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, and one that is not finished; a line per picture, a column per judge."""
    data = collection(tmp_path)
    index = (data / INDEX).read_text(encoding="utf-8")
    (data / INDEX).write_text(index.replace("g11,train", "g11,val"), encoding="utf-8")
    (data / "run.toml").write_text(RUN, encoding="utf-8")
    kept = {name: ablations.WEIGHTS[name] for name in (ablations.WHOLE, "with masked modelling")}
    monkeypatch.setattr(ablations, "WEIGHTS", kept)
    monkeypatch.setattr(ablations, "UNSEEN", ())
    shared = ["--config", str(data / "run.toml"), "--data", str(data)]
    runs, results = tmp_path / "runs", tmp_path / "results"
    (results / "csv").mkdir(parents=True)
    (tmp_path / "images").mkdir()
    command = ["evaluate", "ablations", *shared, "--runs", str(runs), "--out", str(results)]
    refused = CliRunner().invoke(app, command)
    assert "no whole run" in str(refused.exception)
    made = CliRunner().invoke(app, ["train", "ablations", *shared, "--out", str(runs)])
    assert 0 == made.exit_code, made.output
    monkeypatch.setattr(ablations, "WEIGHTS", kept | {"only begun": {"ladder": 0.0}})
    shutil.copytree(runs / "whole", runs / "only-begun")
    ended = (runs / "whole" / "record.json").read_text(encoding="utf-8")
    begun = ended.replace("n_windows_seen", "n_windows")
    (runs / "only-begun" / "record.json").write_text(begun, encoding="utf-8")
    command += ["--encoder", str(ablations.folder_of(runs, ablations.WHOLE))]
    judged = CliRunner().invoke(app, command)
    assert 0 == judged.exit_code, judged.output

    with (results / "csv" / "encoder-ablations.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {"whole", "with masked modelling", "as shipped"} < set(lines[0])
    assert "only begun" not in lines[0]
    assert all(line["whole"] == line["as shipped"] for line in lines)
    assert 1 + 18 * 3 == len({(line["operator"], line["level"]) for line in lines})
    assert "with masked modelling" in (results / "nrq.md").read_text(encoding="utf-8")
