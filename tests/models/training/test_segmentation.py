"""Networks that outline an organ learn from what they may, and through any interruption."""

import json
from pathlib import Path

import numpy as np
import pytest

from sonoquality.cli import main
from sonoquality.training.data import calibrates, read_index
from tests.conftest import ROOT
from tests.models.training import collection

pytestmark = pytest.mark.train
RECIPE = """
side = 32
widths = [2, 2, 4, 4]
n_steps = {n_steps}
n_pictures = 2
checkpoint_steps = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scans of three sources."""
    return collection.draw(tmp_path_factory.mktemp("collection") / "data")


def train(tmp_path: Path, data: Path, out: str, n_steps: int) -> Path:
    """Train for some steps; returns the organ's folder."""
    recipe = tmp_path / f"{n_steps}.toml"
    recipe.write_text(RECIPE.format(n_steps=n_steps))
    words = ("--organ", "liver", "--config", recipe, "--data", data, "--out", tmp_path / out)
    main([str(word) for word in ("train", "segmentation", *words)])
    return tmp_path / out / "liver"


class KilledError(Exception):
    """Stands in for a kill."""


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path, data: Path) -> None:
    """Killed after the second of three steps, before its checkpoint."""
    import torch

    from sonoquality.training.segmentation import loop
    from sonoquality.training.segmentation.config import read_config

    def kill(work: str, done: int, total: int) -> None:
        if (work, done, total) == ("learning liver", 2, 3):
            raise KilledError

    with pytest.raises(SystemExit, match="0"):
        train(tmp_path, data, "whole", 3)
    with pytest.raises(KilledError):
        loop.train(read_config(tmp_path / "3.toml"), "liver", data, tmp_path / "killed", kill)
    kept = torch.load(tmp_path / "killed" / "liver" / "state.pt", weights_only=True)
    with pytest.raises(ValueError, match="stopped at step 1"):
        loop.load_segmenter(tmp_path / "killed" / "liver")
    with pytest.raises(SystemExit, match="0"):
        train(tmp_path, data, "killed", 3)

    assert 1 == kept["step"]
    whole, again = (
        loop.load_segmenter(tmp_path / name / "liver")[0] for name in ("whole", "killed")
    )
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


def test_only_what_may_be_learned_from_is(tmp_path: Path, data: Path) -> None:
    """No validation picture, none that calibrates, none that is non-commercial."""
    with pytest.raises(SystemExit, match="0"):
        train(tmp_path, data, "run", 1)
    record = json.loads((tmp_path / "run" / "liver" / "record.json").read_text())
    rows = {row.sha256: row for row in read_index(data)}
    learned = [rows[each] for each in record["pictures"]]

    assert collection.N_TRAIN == len(learned)
    assert {"aul_liver"} == {row.source for row in learned}
    assert not any(row.split != "train" or row.non_commercial or calibrates(row) for row in learned)


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path, data: Path) -> None:
    """A run is not continued with other numbers."""
    with pytest.raises(SystemExit, match="0"):
        train(tmp_path, data, "run", 1)

    with pytest.raises(ValueError, match="another configuration"):
        train(tmp_path, data, "run", 2)


def test_dice_is_that_of_its_formula() -> None:
    """Two of three pixels in common; nothing at all; nothing in common."""
    import torch

    from sonoquality.networks.segmenter import dice

    a = torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]).bool().view(3, 1, 2, 2)
    b = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]).bool().view(3, 1, 2, 2)

    assert [0.8, 1.0, 0.0] == pytest.approx(dice(a, b).tolist())


def test_the_outline_lies_on_the_organ(data: Path) -> None:
    """Label 2 of the liver's mask is the organ, label 1 is not; the ellipse is brighter."""
    from sonoquality.training.segmentation.pictures import ORGANS, outlined

    for organ in ORGANS:
        work, mask = outlined(data, organ, "val")[0].read()
        width, height = work.size
        scan = work.image[:height, :width]

        assert (height, width) == mask.shape
        assert 0.1 < mask.mean() < 0.3
        assert scan[mask].min() > scan[~mask].mean()


def test_pictures_and_outlines_move_together() -> None:
    """Where the outline comes to lie, the picture is bright, and only there."""
    import torch

    from sonoquality.training.segmentation.pictures import varied

    organ = torch.zeros(4, 1, 64, 64)
    organ[:, :, 20:36, 12:30] = 1.0
    pictures = 0.3 + 0.5 * organ
    seen, kept = varied(pictures, organ, np.random.default_rng(3))

    assert not torch.equal(kept[0], organ[0])
    for each, where in zip(seen, kept > 0, strict=True):
        assert each[where].mean() > 0.7
        assert each[~where].mean() < 0.4


def test_a_square_keeps_the_aspect() -> None:
    """A wide picture lies in the middle, black above and below."""
    from sonoquality.training.segmentation.pictures import square

    found = square(np.full((30, 60), 0.5, np.float32), 32)

    assert (32, 32) == found.shape
    assert 0.0 == found[:8].max() == found[-8:].max()
    assert np.allclose(0.5, found[8:-8])


def test_the_kept_recipe_is_the_default() -> None:
    """What the defaults say, the recipe shows."""
    from sonoquality.training.segmentation.config import SegmentationConfig, read_config

    assert SegmentationConfig() == read_config(ROOT / "models/recipes/segmentation.toml")
