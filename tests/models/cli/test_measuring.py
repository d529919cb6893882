"""`sonoquality nrq` and `ulpips` print what a script can read, and refuse with a remedy."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sonoquality.cli import main
from sonoquality.zoo import CARD_FILE, MODEL_FILE, SHIPPED, default_zoo
from tests.models.metrics.organs import keep_arrays, organ
from tests.models.phantoms import SCANS, tissue

pytestmark = pytest.mark.train
ORGANS = ("Breast", "Liver")
WITHOUT_TORCH = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx"):
            raise ImportError(f"{name} is not installed")
sys.meta_path.insert(0, Refuse())
from sonoquality.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, organ models, and weights in the published form: random, whole and partial."""
    import torch

    from sonoquality.networks.profiles import TINYUSFM
    from sonoquality.networks.vit import VisionTransformer

    folder = tmp_path_factory.mktemp("measuring")
    torch.manual_seed(0)
    weights = {f"model.{k}": v for k, v in VisionTransformer(TINYUSFM).state_dict().items()}
    torch.save(weights, folder / "whole.pth")
    del weights["model.blocks.7.mlp.fc1.weight"]
    torch.save(weights, folder / "partial.pth")
    for name in ("text.pth", "text.onnx"):
        (folder / name).write_text("no weights")
    for i, name in enumerate(ORGANS):
        keep_arrays(folder / "organs" / f"{name}.npz", {**organ(i, 768), "D": 5})
    keep_arrays(folder / "other" / "Liver.npz", {**organ(3, 512), "D": 5})
    for i, name in enumerate(("a", "b")):
        grey = np.rint(tissue(SCANS["fan"], i) * 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{name}.png")
    Image.fromarray(grey[:200]).save(folder / "small.png")
    Image.fromarray(grey[100:110]).save(folder / "tiny.png")
    return folder


def run(folder: Path, line: str) -> int:
    """Run a command line in which names with a dot, and `organs`, lie in the folder.

    `paper` stands for `nrq --mode paper`.
    """
    line = line.replace("paper", "nrq --mode paper", 1) if line.startswith("paper") else line
    words = [
        str(folder / word) if "." in word or word in ("organs", "other") else word
        for word in line.split()
    ]
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def printed(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Return the JSON lines of the last command."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_nrq_prints_a_line_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mixture where the organ isn't named, and the same numbers where it is."""
    assert 0 == run(
        folder, "nrq a.png b.png --mode paper --weights whole.pth --manifold organs --json"
    )
    unknown = printed(capsys)
    assert 0 == run(
        folder,
        "nrq a.png b.png --mode paper --weights whole.pth --organ Liver --json "
        "--manifold organs/Breast.npz --manifold organs/Liver.npz",
    )
    known = printed(capsys)

    assert ["mixture", "mixture", "Liver", "Liver"] == [x["organ"] for x in unknown + known]
    assert [x["organs"]["Liver"] for x in unknown] == pytest.approx([x["nrq"] for x in known])
    assert [set(ORGANS)] * 2 == [set(x["organs"]) for x in unknown]
    assert [4, 4] == [x["n_windows"] for x in unknown]


def test_ulpips_prints_a_distance(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 of a picture to itself, in both modes; `robust` unless asked otherwise."""
    lines = (
        "a.png a.png",
        "a.png b.png",
        "a.png b.png --mode paper",
        "a.png small.png --mode paper",
    )
    for line in lines:
        assert 0 == run(folder, f"ulpips {line} --weights whole.pth --json")
    same, robust, paper, shrunk = printed(capsys)

    assert ("robust", 0.0) == (same["mode"], same["ulpips"])
    assert ("robust", "paper") == (robust["mode"], paper["mode"])
    assert all(x["ulpips"] > 0 for x in (robust, paper, shrunk))


def test_ulpips_draws_where_pictures_differ(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A grey picture of the scan, white where they differ most."""
    line = f"ulpips a.png b.png --weights whole.pth --map {tmp_path / 'map.png'}"
    assert 0 == run(folder, line)
    drawn = np.asarray(Image.open(tmp_path / "map.png"))

    assert 255 == drawn.max()
    assert float(capsys.readouterr().out) > 0.0


def test_ulpips_without_weights_is_by_the_encoder_that_ships(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says whose weights, rounded to what; the entry by its name and its graph are the same."""
    card = tomllib.loads((default_zoo() / SHIPPED / CARD_FILE).read_text(encoding="utf-8"))
    parent = card["manifold"]["encoder_sha256"]
    entry = default_zoo() / SHIPPED
    for line in ("", f" --weights {entry}", f" --weights {entry / MODEL_FILE}"):
        assert 0 == run(folder, f"ulpips a.png b.png --json{line}")
    bare, named, graph = printed(capsys)
    assert 0 == run(folder, "ulpips a.png b.png")
    told = capsys.readouterr()
    assert 0 == run(folder, "ulpips a.png b.png --weights whole.pth --json")
    (other,) = printed(capsys)

    assert bare == named == graph
    assert "sonovit" == bare["encoder"]["profile"]
    assert (parent, True) == (bare["encoder"]["parent_sha256"], bare["encoder"]["half_precision"])
    assert bare["encoder"]["sha256"] not in (parent, other["encoder"]["sha256"])
    assert f"{bare['ulpips']:.6f}\n" == told.out
    assert f"SHA-256 {bare['encoder']['sha256'][:16]}, read back from the half" in told.err
    assert parent[:16] in told.err
    assert (None, False) == (other["encoder"]["parent_sha256"], other["encoder"]["half_precision"])


def test_without_torch_the_remedy_is_named(folder: Path) -> None:
    """The encoder that ships runs in torch too."""
    line = ["ulpips", folder / "a.png", folder / "b.png"]
    words = [sys.executable, "-c", WITHOUT_TORCH, *map(str, line)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (1, "") == (found.returncode, found.stdout)
    assert "pip install 'sonogate[train]'" in found.stderr
    assert 1 == found.stderr.count("\n")


REFUSED = {
    "paper absent.png --weights whole.pth --manifold organs": "no file",
    "paper tiny.png --weights whole.pth --manifold organs": "a side needs 16 px",
    "paper a.png --weights absent.pth --manifold organs": "TinyUSFM.pth",
    "paper a.png --weights text.pth --manifold organs": "TinyUSFM.pth",
    "paper a.png --weights partial.pth --manifold organs": "Missing: blocks.7.mlp.fc1.weight.",
    "paper a.png --weights whole.pth --manifold organs --organ Heart": "given were Breast, Liver",
    "paper a.png --weights whole.pth --manifold other": "fitted on 512 features",
    "paper a.png --weights whole.pth --manifold organs --manifold other": "Two organ models",
    "paper a.png --weights whole.pth --manifold a.png": "can't be read as .npz",
    "ulpips a.png small.png --weights whole.pth": "--mode paper",
    "ulpips a.png b.png --weights text.onnx": "such as nrq/",
    "ulpips a.png b.png --weights partial.pth": "Missing: blocks.7.mlp.fc1.weight.",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_can_be_put_right_is_said_in_a_line(
    folder: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the remedy; no traceback, nothing on the standard output."""
    assert 1 == run(folder, line)
    told = capsys.readouterr()

    assert "" == told.out
    assert 1 == told.err.count("\n")
    assert REFUSED[line] in told.err
    assert "weights_only" not in told.err


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nrq a.png --mode paper", "needs --weights FILE and --manifold FILE"),
        (
            "nrq a.png --mode paper --weights whole.pth --manifold organs --map m.png",
            "--mode robust",
        ),
        ("nrq a.png --weights whole.pth", "belong to --mode paper"),
        ("ulpips a.png b.png --mode paper", "needs --weights FILE"),
    ],
)
def test_options_of_the_other_mode_are_refused(
    folder: Path, line: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mode says what it wants."""
    assert 2 == run(folder, line)
    assert why in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_map_needs_robust_mode(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The released distance has no places."""
    assert 2 == run(folder, "ulpips a.png b.png --mode paper --map m.png --weights whole.pth")
    assert "robust" in capsys.readouterr().err
