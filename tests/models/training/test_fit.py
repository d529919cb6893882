"""A fit on a small collection of phantoms writes a whole zoo entry, and the same one again."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality.golden import PHANTOMS, differences
from sonoquality.model import QualityModel
from sonoquality.training import data
from tests.conftest import need_extra

pytestmark = pytest.mark.train
COLUMNS = (
    "path",
    "source",
    "group",
    "split",
    "licence",
    "non_commercial",
    "quality_label",
    "sha256",
)


def collection(folder: Path) -> Path:
    """Write 12 varied phantoms, one trap of another split, and their index."""
    rows = []
    for i in range(13):
        phantom = replace(PHANTOMS[0], loss=2.0 + i / 4.0, blur=0.8 + (i % 5) / 10.0)
        Image.fromarray(phantom.picture()).save(folder / f"{i}.png")
        split = "train" if i < 12 else "eval"
        rows.append((f"{i}.png", "phantom", f"g{i}", split, "CC0-1.0", "N", "", f"{i:064x}"))
    rows.append(("absent.png", "forbidden", "g", "train", "CC BY-NC 4.0", "Y", "", "0" * 64))
    with (folder / data.INDEX).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def test_a_fit_is_repeatable_and_its_model_agrees_with_the_reference(tmp_path: Path) -> None:
    """Same bytes twice; the golden scores made by the reference hold for the graph."""
    fit = need_extra("sonoquality.training.fit", "train").fit
    images = collection(tmp_path)
    seen: list[tuple[str, int, int]] = []
    first = fit(images, tmp_path / "a", lambda *step: seen.append(step))
    second = fit(images, tmp_path / "b", lambda *_: None)

    for name in ("model.onnx", "model.toml", "golden.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert [] == differences(QualityModel.load(first, providers=["cpu"]), first)
    assert "forbidden" not in (first / "model.toml").read_text(encoding="utf-8")
    assert 12 == sum(total for _, done, total in seen if done == total)


def test_the_graph_is_the_reference_on_noise(tmp_path: Path) -> None:
    """Random pixels under a random mask: every output agrees."""
    export = need_extra("sonoquality.export.dct", "train").export
    from sonoquality.metrics import baselines, manifold
    from sonoquality.session import open_session
    from sonoquality.zoo import PARENT_FILE, default_zoo

    parents = manifold.load(
        default_zoo() / "dct-manifold" / "1.0.0" / PARENT_FILE, "window", "block"
    )
    export(tmp_path / "m.onnx", *parents)
    rng = np.random.default_rng(11)
    windows = rng.uniform(0, 1, (3, 1, 224, 224)).astype(np.float32)
    masks = (rng.uniform(0, 1, (3, 1, 224, 224)) > rng.uniform(0, 0.6, (3, 1, 1, 1))).astype(
        np.float32
    )
    session = open_session(
        tmp_path / "m.onnx", sha256="0" * 64, ladder=["cpu"], threads=1, cache=tmp_path
    )
    found = session.run(windows, masks)
    _, counts = baselines.token_features(windows, masks)

    energy = parents[0].energy(baselines.window_features(windows, masks))
    assert np.allclose(found["energy"], energy, rtol=1e-3)
    assert np.array_equal(found["block_counts"], counts.sum(axis=(1, 2)))
