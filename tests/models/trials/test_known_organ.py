"""What knowing the organ changes is what the model itself makes of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoquality.model import QualityModel
from sonoquality.preprocess import scan_mask
from sonoquality.training.data import Row
from sonoquality.trials import known_organ, pictures, table
from sonoquality.zoo import SHIPPED, default_zoo
from tests.models.phantoms import SCANS, tissue

ENTRY = default_zoo() / SHIPPED


@pytest.fixture(scope="module")
def model() -> QualityModel:
    """The entry that ships, which knows organs."""
    return QualityModel.load(ENTRY, ("cpu",))


def test_a_known_organ_scores_as_the_model_told_of_it(model: QualityModel) -> None:
    """And the mixture as the model that is told nothing."""
    luma = np.rint(tissue(SCANS["fan"]) * 255).astype(np.uint8)
    mask = scan_mask(luma)
    told = QualityModel.load(ENTRY, ("cpu",), organ="liver").score(luma[None], mask)[0]
    untold = model.score(luma[None], mask)[0]
    found = known_organ.judge(model, "liver")(luma, mask)

    assert -told.scores["badness"] == pytest.approx(found["rank_known"], abs=1e-3)
    assert -untold.scores["badness"] == pytest.approx(found["rank_mixture"], abs=1e-9)
    assert untold.organs["liver"] == pytest.approx(found["chance"])


def test_the_likely_lies_between_what_organs_say(model: QualityModel) -> None:
    """Weighted by how likely each is."""
    luma = np.rint(tissue(SCANS["linear"])[20:244, 30:254] * 255).astype(np.uint8)
    mask = np.ones(luma.shape, np.bool_)
    organs = model.score(luma[None], mask)[0].organs
    said = {name: known_organ.judge(model, name)(luma, mask) for name in organs}
    # One window holds the whole picture, so that pooling changes nothing.
    wanted = sum(organs[name] * found["rank_known"] for name, found in said.items())

    assert wanted == pytest.approx(said["liver"]["rank_likely"], rel=1e-6)


def test_rows_of_organs_that_it_does_not_know_are_left_out(
    model: QualityModel, tmp_path: Path
) -> None:
    """A line per image of the others, whoever comes first."""
    rows = []
    for i, organ in enumerate(("ovary", "spleen", "liver")):
        grey = np.rint(tissue(SCANS["fan"], i) * 255).astype(np.uint8)
        path = tmp_path / f"{i}.png"
        Image.fromarray(grey).save(path)
        rows.append(
            Row(
                path=path,
                source="a",
                organ=organ,
                group=f"g{i}",
                split="val",
                licence="CC0",
                non_commercial=False,
                quality_label="",
                sha256=f"{i:02x}" * 32,
            )
        )
    known_organ.run(tmp_path / "t.csv", rows, pictures.AsItIs, model, lambda *_: None)

    assert ["g2", "g0"] == [line["group"] for line in table.read(tmp_path / "t.csv")]
