"""An entry whose manifold lies beside its graph: what is refused before anything is scored."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoquality.card import BadCardError, HashMismatchError, ModelCard, OtherManifoldError
from sonoquality.metrics import experts_file
from sonoquality.model import QualityModel
from sonoquality.session import open_session
from sonoquality.zoo import CARD_FILE, MODEL_FILE, PARENT_FILE, default_zoo
from tests.models import experts

SHIPPED = default_zoo() / "dct-manifold" / "1.0.0"


def entry(folder: Path, *, file: str = PARENT_FILE) -> Path:
    """Copy the shipped entry, and let its card ask for a manifold of experts."""
    found = shutil.copytree(SHIPPED, folder / "entry")
    experts_file.save(found / PARENT_FILE, experts.manifold())
    sha256 = hashlib.sha256((found / PARENT_FILE).read_bytes()).hexdigest()
    table = (
        f'\n[manifold]\nfile = "{file}"\nsha256 = "{sha256}"\nencoder_sha256 = "{experts.HASH}"\n'
    )
    card = (found / CARD_FILE).read_text(encoding="utf-8")
    (found / CARD_FILE).write_text(card + table, encoding="utf-8")
    return found


def test_a_manifold_of_another_encoder_is_refused(tmp_path: Path) -> None:
    """The message names both hashes and what to run."""
    with pytest.raises(OtherManifoldError, match=f"{experts.HASH}.*of no name.*sonoquality fit"):
        QualityModel.load(entry(tmp_path), providers=["cpu"])


def test_a_changed_or_missing_manifold_is_refused(tmp_path: Path) -> None:
    """The card's hash is that of the manifold too."""
    found = entry(tmp_path)
    (found / PARENT_FILE).write_bytes(b"other")
    with pytest.raises(HashMismatchError, match=PARENT_FILE):
        QualityModel.load(found, providers=["cpu"])
    (found / PARENT_FILE).unlink()
    with pytest.raises(BadCardError, match="is missing"):
        QualityModel.load(found, providers=["cpu"])


def test_a_manifold_outside_the_entry_is_refused(tmp_path: Path) -> None:
    """A card points at no other file of the machine."""
    with pytest.raises(BadCardError, match="must lie in the entry"):
        ModelCard.read(entry(tmp_path, file="../manifold.npz"))


def test_tensors_that_a_graph_does_not_ask_for_are_refused(tmp_path: Path) -> None:
    """By name, before ONNX Runtime says so at the first image."""
    sha256 = ModelCard.read(SHIPPED).sha256
    session = open_session(
        SHIPPED / MODEL_FILE, sha256=sha256, ladder=["cpu"], threads=1, cache=tmp_path
    )

    with pytest.raises(OtherManifoldError, match="centre"):
        session.given({"centre": np.zeros(3, np.float32)})
    assert {} == session.given({}).tensors


def test_only_the_outputs_asked_for_come_back(tmp_path: Path) -> None:
    """Scoring copies no features."""
    sha256 = ModelCard.read(SHIPPED).sha256
    session = open_session(
        SHIPPED / MODEL_FILE, sha256=sha256, ladder=["cpu"], threads=1, cache=tmp_path
    )

    assert ["badness"] == list(session.run(*experts.windows(1), ["badness"]))
