"""`paper` mode gives what the authors' program printed, and what the plain formulas give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sonoquality.arrays import Encode, Luma
from sonoquality.metrics import nrq_paper, ulpips_paper
from sonoquality.metrics.organ_model import load_organ_model
from tests.conftest import ROOT, skip_or_fail
from tests.models.metrics import paper_formulas

pytestmark = pytest.mark.train
FOLDER = ROOT.parent / "shared" / "paper_parity"
EXPECTED = FOLDER / "expected.json"
ORGANS = ("Breast", "Cardiac", "Liver")


def rows() -> list[Any]:
    """Return what was printed, a row an image; one empty row where it isn't here."""
    return json.loads(EXPECTED.read_text("utf-8")) if EXPECTED.is_file() else [{"image": "absent"}]


def luma(name: str) -> Luma:
    """Return one of the grey pictures."""
    return np.asarray(Image.open(FOLDER / name))


def clean(name: str) -> str:
    """Return the name of a picture's clean twin."""
    return name.replace("_blur", "").replace("_noise", "")


@pytest.fixture(scope="module")
def encode() -> Encode:
    """The encoder with the random weights that were made for this."""
    if not EXPECTED.is_file():
        skip_or_fail("../shared/paper_parity (what the released program printed) is not here")
    from sonoquality.networks.checkpoints import load_tinyusfm
    from sonoquality.networks.encode import encode_with

    return encode_with(load_tinyusfm(FOLDER / "tinyusfm_random.pth"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["image"])
def test_nrq_is_what_the_released_program_printed(row: dict[str, Any], encode: Encode) -> None:
    """To 1e-4 relative, under each organ model and under their mixture."""
    models = {name: load_organ_model(FOLDER / "manifolds" / f"{name}.npz") for name in ORGANS}

    found = nrq_paper.score(luma(row["image"]), encode, models)

    assert row["nrq_mixture"] == pytest.approx(found.mixture, rel=1e-4)
    assert [row[f"nrq_{name}"] for name in ORGANS] == pytest.approx(
        [found.of(name) for name in ORGANS], rel=1e-4
    )


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["image"])
def test_ulpips_is_what_the_released_program_printed(row: dict[str, Any], encode: Encode) -> None:
    """To 1e-4 relative, of every image to its clean twin; 0 of the twin to itself."""
    reference, image = luma(clean(row["image"])), luma(row["image"])

    found = ulpips_paper.score(reference, image, encode)

    assert row["ulpips_to_clean"] == pytest.approx(found, rel=1e-4, abs=0.0)


@pytest.mark.parametrize("name", ["phantom_100x80_blur.png", "phantom_300x500_noise.png"])
def test_both_metrics_equal_the_plain_formulas(name: str, encode: Encode) -> None:
    """The transcription in paper_formulas, fed with the same encoder's tokens."""
    organs = {}
    for organ in ORGANS:
        with np.load(FOLDER / "manifolds" / f"{organ}.npz") as file:
            organs[organ] = dict(file)
    models = {organ: load_organ_model(FOLDER / "manifolds" / f"{organ}.npz") for organ in ORGANS}
    z = []
    for window in paper_formulas.windows(luma(name)):
        taps = encode(window[None, None].astype(np.float32))
        z.append(paper_formulas.descriptor([tap[0] for tap in taps]))
    pair = [encode(ulpips_paper.view_of(luma(each))) for each in (clean(name), name)]

    found = nrq_paper.score(luma(name), encode, models)
    distance = ulpips_paper.score(luma(clean(name)), luma(name), encode)

    assert paper_formulas.nrq(z, list(organs.values())) == pytest.approx(found.mixture, rel=1e-6)
    for organ, arrays in organs.items():
        assert paper_formulas.nrq(z, [arrays]) == pytest.approx(found.of(organ), rel=1e-6)
    assert paper_formulas.ulpips(*([tap[0] for tap in taps] for taps in pair)) == pytest.approx(
        distance, rel=1e-5
    )


def test_every_picture_and_every_number_is_compared() -> None:
    """A row or a key that the tests above don't know would be noticed here."""
    if not EXPECTED.is_file():
        skip_or_fail("../shared/paper_parity (what the released program printed) is not here")
    keys = {"image", "nrq_mixture", "ulpips_to_clean", *(f"nrq_{name}" for name in ORGANS)}

    assert [keys] * len(rows()) == [set(row) for row in rows()]
    assert {path.name for path in Path(FOLDER).glob("*.png")} == {row["image"] for row in rows()}
