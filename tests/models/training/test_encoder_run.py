"""A training run from the command line: killed at any point, it ends as if it had not been."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import need_extra
from tests.models.training.test_fit import collection

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(400)]
torch = need_extra("torch", "train")

from sonoquality.networks.checkpoints import WEIGHTS_FILE, load_encoder  # noqa: E402 - needs torch
from sonoquality.networks.identity import sha256_of  # noqa: E402
from sonoquality.training.encoder import loop  # noqa: E402
from sonoquality.training.encoder.config import EncoderConfig, read_config  # noqa: E402
from sonoquality.training.encoder.state import STATE_FILE  # noqa: E402

RUN = """
n_steps = 6
n_ladders = 2
n_threads = 1
checkpoint_steps = 1
[bank]
n_rounds = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of phantoms, a configuration, and a bank that all runs share."""
    folder = collection(tmp_path_factory.mktemp("encoder"))
    (folder / "run.toml").write_text(RUN, encoding="utf-8")
    return folder


def command(data: Path, out: Path) -> list[str]:
    """Return the command that a person types."""
    options = {"config": data / "run.toml", "data": data, "out": out, "bank": data / "bank"}
    typed = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    return [sys.executable, "-m", "sonoquality.cli", "train", "encoder", *typed]


def test_a_killed_run_ends_as_an_unbroken_one(data: Path, tmp_path: Path) -> None:
    """SIGKILL after a checkpoint, the same command again: weights and curves are the same."""
    subprocess.run(command(data, tmp_path / "a"), check=True, capture_output=True)
    broken = tmp_path / "b"
    with subprocess.Popen(command(data, broken), stdout=subprocess.DEVNULL) as run:
        while not (broken / STATE_FILE).exists() and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    left_at = torch.load(broken / STATE_FILE, weights_only=True)["step"]
    subprocess.run(command(data, broken), check=True, capture_output=True)
    records = [json.loads((tmp_path / x / "record.json").read_text()) for x in ("a", "b")]

    assert left_at < 6
    assert records[0]["encoder_sha256"] == records[1]["encoder_sha256"]
    assert records[0]["encoder_sha256"] == sha256_of(load_encoder(broken))
    assert [1, 2] == [len(record["sittings"]) for record in records]
    for name in ("curves.csv", "curves.png"):
        assert (tmp_path / "a" / name).read_bytes() == (broken / name).read_bytes()


def test_the_record_says_what_went_in(data: Path, tmp_path: Path) -> None:
    """Configuration, images, operators, versions; the curves have a row per step."""
    loop.train(read_config(data / "run.toml"), data, tmp_path, lambda *_: None, data / "bank")
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    rows = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()

    assert {"phantom": len(loop.fitting_rows(data))} == record["entered"]["images"]
    assert 36 == record["n_windows_seen"]
    assert not {"REV", "RF", "ALI", "SLB", "DYR", "ANN"} & set(record["entered"]["operators"])
    assert torch.__version__ == record["sittings"][0]["torch"]
    assert rows[0].startswith("step,total,severity,")
    assert 7 == len(rows)
    with Image.open(tmp_path / "curves.png") as picture:
        assert np.asarray(picture).std() > 1


def test_a_run_goes_on_from_another_as_if_they_were_one(data: Path, tmp_path: Path) -> None:
    """Its first step has the weights the other ended with and the windows that come next."""
    config = read_config(data / "run.toml")
    still = config.model_copy(
        update={"optimiser": config.optimiser.model_copy(update={"learning_rate": 1e-12})}
    )
    whole, first, then = (tmp_path / name for name in ("whole", "first", "then"))
    loop.train(still.model_copy(update={"n_steps": 8}), data, whole, lambda *_: None, data / "bank")
    loop.train(still, data, first, lambda *_: None, data / "bank")
    rest = still.model_copy(update={"n_steps": 2})
    loop.train(rest, data, then, lambda *_: None, data / "bank", goes_on_from=first)
    record = json.loads((then / "record.json").read_text(encoding="utf-8"))
    both = [(x / "curves.csv").read_text(encoding="utf-8").splitlines() for x in (whole, then)]

    assert [line.split(",")[1:] for line in both[0][7:]] == [
        line.split(",")[1:] for line in both[1][1:]
    ]
    assert 8 * 6 == record["n_windows_seen"]
    assert 36 == record["entered"]["goes_on_from"]["n_windows_seen"]
    with pytest.raises(ValueError, match="another"):
        loop.train(rest, data, then, lambda *_: None, data / "bank")


def test_only_a_finished_run_is_gone_on_from(data: Path, tmp_path: Path) -> None:
    """A checkpoint's windows are not known to be all of its run's."""
    config = read_config(data / "run.toml")
    with pytest.raises(ValueError, match="no finished run"):
        loop.train(config, data, tmp_path / "b", lambda *_: None, None, goes_on_from=tmp_path / "a")


def test_a_folder_of_another_run_is_refused(data: Path, tmp_path: Path) -> None:
    """Going on under another configuration would make a run that no one can repeat."""
    config = read_config(data / "run.toml")
    loop.train(config, data, tmp_path, lambda *_: None, data / "bank")
    other = config.model_copy(update={"n_steps": 7})
    with pytest.raises(ValueError, match="another"):
        loop.train(other, data, tmp_path, lambda *_: None, data / "bank")
    assert (tmp_path / WEIGHTS_FILE).exists()


def test_calibration_groups_are_never_learned_from(shared_dir: Path) -> None:
    """1365 of 1585 images; the 220 that calibrate the scale stay unseen by the encoder."""
    from sonoquality.training.data import calibrates

    rows = loop.fitting_rows(shared_dir / "data")

    assert 1365 == len(rows)
    assert not any(calibrates(row) or row.split != "train" for row in rows)


def test_what_ships_stays_within_the_budget() -> None:
    """At most 500,000 window passes, by the recipe in the repository."""
    recipes = Path(loop.__file__).parents[4] / "recipes"
    parts = [read_config(recipes / f"{name}.toml") for name in ("sonovit", "sonovit-further")]

    assert sum(part.n_windows for part in parts) <= 500_000
    assert 60_000 >= EncoderConfig(n_steps=1250, n_ladders=16).n_windows
