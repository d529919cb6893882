"""The graph of an encoder and its experts: one run says what torch and the plain reference say."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sonoquality.card import OtherManifoldError
from sonoquality.cli import app
from sonoquality.exported import read_record
from sonoquality.golden import PHANTOMS, differences, inputs_of
from sonoquality.metrics import experts_file
from sonoquality.metrics.experts import Features
from sonoquality.metrics.reader import Reader
from sonoquality.model import QualityModel
from sonoquality.preprocess import windows_of, working_image
from sonoquality.session import Session
from sonoquality.training.rankings import RANKINGS_FILE, Rankings
from sonoquality.zoo import MODEL_FILE, PARENT_FILE
from tests.conftest import need_extra
from tests.models import experts
from tests.models.export.test_encoder import OURS, export, noise, train_folder
from tests.models.training.test_fit import collection

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(400)]
onnx = need_extra("onnx", "train")
need_extra("torch", "train")

RECIPE = """
name = "tiny"
version = "1.0.0"
components = [1, 2]
[window]
dct = 1.0
taps_1 = 0.5
distance = 2.0
rank = 0.7
[block]
dct = 1.0
tokens = 1.0
distance = 0.5
"""
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


def fit(*arguments: object) -> None:
    """Run the command that a person types."""
    found = CliRunner().invoke(app, ["fit", *map(str, arguments)])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert 0 == found.exit_code, found.output


def rankings(encoder: Path, sources: Sequence[str] = ("phantom",)) -> Rankings:
    """Return rankings of random weights that call themselves an encoder's."""
    return Rankings(
        encoder_sha256=read_record(encoder).encoder_sha256,
        all=experts.ranker(),
        without={source: experts.ranker(seed) for seed, source in enumerate(sources)},
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported encoder, a collection, and the entry fitted with both."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "data").mkdir()
    collection(folder / "data")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    export("--encoder", train_folder(folder / "run", OURS), "--out", folder / "encoder")
    rankings(folder / "encoder").save(folder / RANKINGS_FILE)
    options = {"data": "data", "encoder": "encoder", "out": "zoo", "recipe": "recipe.toml"}
    options["ranker"] = ""
    fit(*(part for key, name in options.items() for part in (f"--{key}", folder / name)))
    return folder


def loaded(work: Path) -> QualityModel:
    """Load the entry on the CPU."""
    return QualityModel.load(work / "zoo" / "tiny" / "1.0.0", providers=["cpu"])


def features_of(session: Session, reader: Reader) -> Features:
    """Return the graph's own features of noise."""
    found = session.run(*noise(3))
    names = ("dct", "taps", "block_dct", "tokens", "counts")
    own = {name: found[name].astype(np.float64) for name in names}
    return Features(**own, read=reader.read(own["taps"][:, -1], own["tokens"], own["counts"]))


def test_the_entry_scores_as_golden_by_the_path_of_every_model(work: Path) -> None:
    """Golden scores are of torch and numpy; the graph agrees, and a heat map comes with it."""
    entry = work / "zoo" / "tiny" / "1.0.0"

    assert [] == differences(loaded(work), entry)
    assert json.loads((entry / "golden.json").read_text())["made_by"].startswith("torch")
    luma, scan, overlay = inputs_of(PHANTOMS[1])
    found = loaded(work).score(luma[None], scan, overlay)[0]
    assert luma.shape == found.heat.shape
    assert 0.0 < found.heat.max()


def test_one_run_gives_features_energies_badness_and_map(work: Path) -> None:
    """On noise under masks, every output is that of the plain reference."""
    manifold = experts_file.load(work / "zoo" / "tiny" / "1.0.0" / PARENT_FILE)
    session = loaded(work).session
    found, own = session.run(*noise(3)), features_of(session, manifold.reader)
    plain = Features.of(*noise(3), (own.taps, own.tokens), manifold.reader)
    energies = [e.energy(own.taps[:, :1, 0]) for e in manifold.window if e.model is None]

    assert np.allclose(plain.dct, own.dct, rtol=1e-3, atol=1e-3)
    assert np.array_equal(plain.counts, own.counts)
    assert np.allclose(manifold.badness(plain), found["badness"], rtol=1e-3, atol=1e-3)
    assert np.allclose(manifold.block_badness(plain), found["block_badness"], rtol=1e-2, atol=1e-2)
    assert (3, 3 + len(energies)) == found["energies"].shape


def test_every_tensor_is_an_input_that_counts(work: Path) -> None:
    """Other numbers in any tensor give other scores; none is written into the graph."""
    session = loaded(work).session
    windows = windows_of(working_image(*inputs_of(PHANTOMS[0])))
    before = session.run(windows.pixels, windows.masks)
    for name, tensor in session.tensors.items():
        other = replace(session, tensors={**session.tensors, name: tensor * 1.5 + 0.25})
        after = other.run(windows.pixels, windows.masks)
        moved = [
            key
            for key in ("badness", "block_badness")
            if not np.allclose(before[key], after[key], rtol=1e-6, atol=1e-6)
        ]
        wanted = {"w": ["badness"], "f": ["badness"], "b": ["block_badness"]}.get(name[0])
        assert (wanted or ["badness", "block_badness"]) == moved, name


def test_a_manifold_of_another_encoder_is_refused_by_both_hashes(
    work: Path, tmp_path: Path
) -> None:
    """A graph of other weights, with its own right hash in the card, does not take it."""
    entry = shutil.copytree(work / "zoo" / "tiny" / "1.0.0", tmp_path / "entry")
    graph = onnx.load(entry / MODEL_FILE)
    ours = {each.key: each.value for each in graph.metadata_props}["encoder_sha256"]
    onnx.helper.set_model_props(graph, {"encoder_sha256": "0f" * 32})
    onnx.save(graph, entry / MODEL_FILE)
    card = (entry / "model.toml").read_text(encoding="utf-8")
    old = QualityModel.load(work / "zoo" / "tiny" / "1.0.0", providers=["cpu"]).sha256
    new = hashlib.sha256((entry / MODEL_FILE).read_bytes()).hexdigest()
    (entry / "model.toml").write_text(card.replace(old, new), encoding="utf-8")

    with pytest.raises(OtherManifoldError, match=f"{ours}.*{'0f' * 32}.*sonoquality fit"):
        QualityModel.load(entry, providers=["cpu"])


def test_a_site_fits_its_own_without_torch(work: Path, tmp_path: Path) -> None:
    """With the entry alone: a new entry, which scores as its own golden scores say."""
    images = tmp_path / "images"
    images.mkdir()
    for i in range(24):
        phantom = replace(PHANTOMS[3], loss=2.0 + i / 3.0, blur=0.8 + (i % 5) / 10.0)
        Image.fromarray(phantom.picture()).save(images / f"{i}.png")
    entry = work / "zoo" / "tiny" / "1.0.0"
    options = {"images": images, "encoder": entry, "organ": "thyroid", "out": tmp_path / "zoo"}
    typed = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "fit", *typed],
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == run.returncode, run.stderr
    own = tmp_path / "zoo" / "tiny-thyroid" / "1.0.0"

    assert "24 images; 500 or more are advised" in run.stderr
    assert [] == differences(QualityModel.load(own, providers=["cpu"]), own)
    assert (entry / MODEL_FILE).read_bytes() == (own / MODEL_FILE).read_bytes()
    assert (entry / PARENT_FILE).read_bytes() != (own / PARENT_FILE).read_bytes()
