"""What teaches the net that tells traces: physics, labels, a run that can be repeated."""

from pathlib import Path

import numpy as np
import pytest

from sonoquality.cli import main
from sonoquality.traces import CELL, TraceNet, scale_of
from sonoquality.training.data import ForbiddenDataError, allowed, read_index
from sonoquality.training.traces import bank, flow
from sonoquality.training.traces.config import TracesConfig
from sonoquality.training.traces.screens import M_MODE, SPECTRUM
from tests.models.training import collection

RECIPE = """
seed = {seed}
n_screens = 6
n_steps = 2
n_in_step = 4
n_spoiled = 3
n_layered = 3
n_crossed = 3
n_later_steps = [1]
n_last_steps = 1
n_fresh = 4
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scans of three sources."""
    return collection.draw(tmp_path_factory.mktemp("collection") / "data")


@pytest.mark.parametrize("velocity", [-0.6, -0.2, 0.3, 0.7])
def test_flow_lies_at_its_velocity(velocity: float) -> None:
    """One streamline of a steady velocity; towards the probe is up."""
    signal = np.exp(1j * np.pi * velocity * np.arange(3000))
    power = flow._power(signal, 128, 16, 100, np.random.default_rng(1))

    row = int(power.mean(axis=1).argmax())
    assert abs(64 * (1 - velocity) - row) <= 1.5


def test_labels_cover_the_trace_and_nothing_else() -> None:
    """The cells of each label; every screen depends on its number alone."""
    tissues = bank.Tissues([], TracesConfig(drawn_share=1.0))
    seen = set()
    for number in range(8):
        screen, again = bank.draw(tissues, number), bank.draw(tissues, number)
        np.testing.assert_array_equal(screen.picture, again.picture)
        cells = bank.cells_of(screen)
        assert (cells.sum(axis=2, dtype=int) == 255).all()
        covered = 0.0
        if screen.box is not None:
            left, top, right, bottom = (at * scale_of(screen.picture.shape) for at in screen.box)
            covered = (right - left) * (bottom - top) / CELL**2
        assert cells[..., 1:].sum() / 255 == pytest.approx(covered, rel=0.05, abs=1.0)
        assert screen.label == 0 or cells[..., screen.label].any()
        seen.add(screen.label)

    assert {0, SPECTRUM, M_MODE} == seen


def test_images_that_may_not_be_learned_from_are_refused(data: Path) -> None:
    """The same guard as for every shipped model."""
    with pytest.raises(ForbiddenDataError):
        list(allowed(read_index(data)))


@pytest.mark.train
def test_a_run_gives_an_entry_and_the_same_one_again(tmp_path: Path, data: Path) -> None:
    """Recipe, run, entry: byte for byte; another recipe needs another folder."""
    recipe = tmp_path / "recipe.toml"
    for name in ("one", "two"):
        recipe.write_text(RECIPE.format(seed=3))
        train = ("train", "traces", "--config", recipe, "--data", data, "--out", tmp_path / name)
        export = ("export", "traces", "--run", tmp_path / name, "--data", data)
        for words in (train, (*export, "--out", tmp_path / f"zoo-{name}")):
            with pytest.raises(SystemExit, match="0"):
                main([str(word) for word in words])

    entries = [tmp_path / f"zoo-{name}" / "traces" / "1.0.0" for name in ("one", "two")]
    for name in ("model.toml", "model.onnx"):
        assert (entries[0] / name).read_bytes() == (entries[1] / name).read_bytes()
    assert min(TraceNet.load(entries[0]).least.values()) > 0
    recipe.write_text(RECIPE.format(seed=4))
    with pytest.raises(ValueError, match="another configuration"):
        main([str(word) for word in train])
