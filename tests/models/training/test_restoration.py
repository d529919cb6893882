"""The example of uLPIPS as a loss runs from a recipe to a page, through any interruption."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sonoquality.cli import main
from sonoquality.results.pages import write_pages
from tests.conftest import ROOT

pytestmark = pytest.mark.train
RECIPE = """
factor = 4
width = 4
n_blocks = 1
n_steps = {n_steps}
n_crops = 2
checkpoint_steps = 1
learning_rate = 1e-3
n_threads = 1
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with random weights, in a file of ours."""
    import torch

    from sonoquality.networks.checkpoints import save_encoder
    from sonoquality.networks.profiles import EncoderProfile
    from sonoquality.networks.vit import VisionTransformer

    torch.manual_seed(0)
    profile = EncoderProfile(name="tiny", width=16, depth=2, heads=2, channels=1, taps=(1, 2))
    path = tmp_path_factory.mktemp("weights") / "encoder.pt"
    save_encoder(path, VisionTransformer(profile))
    return path


def run(*words: object) -> int:
    """Run the command line; 0 if all is well."""
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def train(tmp_path: Path, weights: Path, out: str, n_steps: int = 2) -> Path:
    """Train on phantoms for some steps; returns the folder."""
    recipe = tmp_path / f"{n_steps}.toml"
    recipe.write_text(RECIPE.format(n_steps=n_steps))
    words = ("--config", recipe, "--weights", weights, "--out", tmp_path / out)
    assert 0 == run("train", "restoration", *words)
    return tmp_path / out


def test_the_example_ends_in_a_table_and_a_picture(tmp_path: Path, weights: Path) -> None:
    """Three losses and the bicubic enlargement, beside the truth, on phantoms."""
    folder = train(tmp_path, weights, "run")
    results = tmp_path / "docs" / "results"
    results.mkdir(parents=True)
    words = ("--run", folder, "--weights", weights, "--out", results)
    assert 0 == run("evaluate", "restoration", *words)

    with (results / "csv" / "restoration.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"bicubic", "L1", "SSIM", "uLPIPS", "truth"} == {row["method"] for row in rows}
    assert 4 * 5 == len(rows)
    truths = [row for row in rows if row["method"] == "truth"]
    made = [row for row in rows if row["method"] != "truth"]
    assert all(float(row["psnr_db"]) > 20 and 0 < float(row["ssim"]) < 1 for row in made)
    assert all(100.0 == float(row["psnr_db"]) for row in truths)
    assert all(0.0 < float(row["grid"]) < 2.0 for row in rows)
    assert all(0.0 == float(row[key]) for row in truths for key in ("ulpips", "lpips_style"))
    with Image.open(tmp_path / "docs/images/restoration.png") as sheet:
        assert (5 * 228, 4 * 243) == sheet.size
    page = (results / "ulpips.md").read_text()
    assert "## A network that learns by it" in page
    write_pages(results)
    assert page == (results / "ulpips.md").read_text()


class KilledError(Exception):
    """Stands in for a kill."""


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path, weights: Path) -> None:
    """Killed after the second network's second step, before its checkpoint."""
    import torch

    from sonoquality.networks.checkpoints import load_encoder
    from sonoquality.training.restoration import loop
    from sonoquality.training.restoration.config import read_config

    def kill(work: str, done: int, total: int) -> None:
        if (work, done, total) == ("learning by SSIM", 2, 3):
            raise KilledError

    whole = loop.load_restorers(train(tmp_path, weights, "whole", n_steps=3))
    recipe, encoder = read_config(tmp_path / "3.toml"), load_encoder(weights)
    with pytest.raises(KilledError):
        loop.train(recipe, encoder, None, tmp_path / "killed", kill)
    kept = torch.load(tmp_path / "killed" / "SSIM" / "state.pt", weights_only=True)
    again = loop.load_restorers(train(tmp_path, weights, "killed", n_steps=3))

    assert 1 == kept["step"]
    for name, network in whole.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, again[name].state_dict()[key]), (name, key)


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path, weights: Path) -> None:
    """A run is not continued with other numbers."""
    train(tmp_path, weights, "run", n_steps=1)

    with pytest.raises(ValueError, match="another configuration"):
        train(tmp_path, weights, "run", n_steps=2)


def test_ssim_is_that_of_its_formula() -> None:
    """Computed with SciPy's Gaussian filter, where its window fits."""
    import torch

    from sonoquality.training.restoration.losses import ssim

    rng = np.random.default_rng(0)
    a = ndimage.gaussian_filter(rng.random((60, 50)), 1.5)
    b = np.clip(a + 0.05 * rng.normal(size=a.shape), 0, 1)

    def mean(
        x: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(ndimage.gaussian_filter(x, 1.5, radius=5))[5:-5, 5:-5]

    variance_a, variance_b = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    common = mean(a * b) - mean(a) * mean(b)
    top = (2 * mean(a) * mean(b) + 1e-4) * (2 * common + 9e-4)
    bottom = (mean(a) ** 2 + mean(b) ** 2 + 1e-4) * (variance_a + variance_b + 9e-4)
    tensors = [torch.from_numpy(x)[None, None] for x in (a, b)]

    assert (top / bottom).mean() == pytest.approx(float(ssim(tensors[0], tensors[1])), rel=1e-6)


def test_the_kept_recipe_is_the_default() -> None:
    """What the defaults say, the recipe shows."""
    from sonoquality.training.restoration.config import RestorationConfig, read_config

    assert RestorationConfig() == read_config(ROOT / "models/recipes/restoration.toml")


def test_a_flat_picture_stays_flat() -> None:
    """Whatever was learned draws no grid: pixels out of channels would, each with its own bias."""
    import torch

    from sonoquality.networks.restorer import Restorer

    torch.manual_seed(0)
    restorer = Restorer(4, 8, 1)
    for parameter in restorer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        made = restorer(torch.full((1, 1, 12, 10), 0.5))

    assert (1, 1, 48, 40) == made.shape
    assert made.std().item() < 1e-5


def test_a_grid_is_seen_and_speckle_is_none() -> None:
    """One px in sixteen brighter by 0.1: 25.5 greys times the root of 15 / 256."""
    from sonoquality.training.restoration.compare import grid

    plain = np.full((64, 48), 0.5, np.float32)
    dotted = plain.copy()
    dotted[::4, ::4] += 0.1
    bright = plain.copy()
    bright[:32] = 0.9

    assert 25.5 * np.sqrt(15) / 16 == pytest.approx(grid(dotted, 4), rel=1e-5)
    assert 0.0 == grid(plain, 4) == grid(bright, 4)
