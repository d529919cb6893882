"""A joined entry is made of two, and its card says what was measured."""

import math
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality import golden
from sonoquality.card import ModelCard
from sonoquality.errors import QualityError
from sonoquality.joining import Told
from sonoquality.labelling.study import Study
from sonoquality.model import QualityModel
from sonoquality.preprocess import windows_of, working_image
from sonoquality.training.data import INDEX
from sonoquality.training.medqm import by_torch, entry, joint
from sonoquality.training.medqm.priors import NAMES
from sonoquality.zoo import SHIPPED, default_zoo
from tests.conftest import ROOT
from tests.models.training.collection import draw

pytestmark = pytest.mark.train
PARTS = joint.Parts(nrq=default_zoo() / SHIPPED, medqm=default_zoo() / entry.NAME / entry.VERSION)
RECIPE = joint.read_recipe(ROOT / "models" / "recipes" / "joined.toml")


def line(level: int, operator: str, **severities: float) -> dict[str, str]:
    """What a joined entry said of one picture."""
    told = {f"medqm_{name}": str(severities.get(name, 0.0)) for name in NAMES}
    return {"image": str(level), "level": str(level), "operator": operator, **told}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An entry for which noise was told of clean pictures too, and clutter of shadows."""
    folder = joint.draft(tmp_path_factory.mktemp("zoo") / "joined", PARTS, RECIPE)
    lines = [line(0, "none", noise=2.0) for _ in range(50)]
    lines += [line(3, "SHA", shadow=3.0, clutter=1.5) for _ in range(50)]
    lines += [line(3, "HAZ", clutter=3.0) for _ in range(50)]
    joint.finish(folder, PARTS, RECIPE, lines)
    joint.write_golden(folder, PARTS.nrq, by_torch.phantoms_told(PARTS.nrq, PARTS.medqm))
    return folder


def test_a_finding_is_named_above_what_others_are_told(made: Path) -> None:
    """Of clean pictures, and of those with another fault; never below a level of the ladder."""
    utility = ModelCard.read(made).utility
    assert utility is not None
    named = {fault.attribute: fault.named_at for fault in utility.faults}

    assert named["noise"] == pytest.approx(2.0)
    assert named["clutter"] == pytest.approx(1.5)
    assert named["shadow"] == pytest.approx(0.8)
    assert utility.from_logit == pytest.approx(math.log(3), abs=1e-4)


def test_the_whole_graph_says_what_torch_says(made: Path) -> None:
    """The encoder read back out of the graph, cells by numpy, MedQM-I by torch: no shared step."""
    model = QualityModel.load(made, ("cpu",))
    assert not golden.differences(model, made)
    told = by_torch.phantoms_told(PARTS.nrq, PARTS.medqm)
    for phantom in golden.PHANTOMS:
        luma, scan, overlay = golden.inputs_of(phantom)
        scores = model.score(luma[None], scan, overlay)[0].scores
        utility, off = told[phantom.name]
        assert scores["utility"] == pytest.approx(100 * utility, abs=0.05)
        assert scores["utility_off_by"] == pytest.approx(100 * off, abs=0.05)


def test_a_golden_score_that_is_off_is_noticed(made: Path) -> None:
    """Half a point of utility is more than rounding."""
    told = dict(by_torch.phantoms_told(PARTS.nrq, PARTS.medqm))
    utility, off = told["fan"]
    told["fan"] = utility + 0.005, off
    kept = (made / "golden.json").read_text()
    joint.write_golden(made, PARTS.nrq, told)
    try:
        found = golden.differences(QualityModel.load(made, ("cpu",)), made)
    finally:
        (made / "golden.json").write_text(kept)

    assert any(each.startswith("fan: utility") for each in found)


def test_where_an_attribute_looks_is_full_at_its_most(made: Path) -> None:
    """Maps are between 0 and 1, whatever their sum."""
    model = QualityModel.load(made, ("cpu",))
    luma, scan, overlay = golden.inputs_of(golden.PHANTOMS[0])
    windows = windows_of(working_image(luma, scan, overlay))
    scale = model.card.utility
    assert scale is not None
    told = Told.by(model.session.run(windows.pixels, windows.masks, model.outputs), scale)
    for looks in told.maps.values():
        assert looks.shape == (6, 7, 7)
        assert looks.min() >= 0
        assert looks.max() == pytest.approx(1.0)


def test_no_image_left_to_measure_on_is_refused(tmp_path: Path) -> None:
    """What findings mean is measured on images that MedQM-I did not learn from; none, no entry."""
    data = draw(tmp_path / "data")
    head, *lines = (data / INDEX).read_text().splitlines()
    labelled = [f"{head},class_label", *(f"{line},Normal" for line in lines)]
    (data / INDEX).write_text("\n".join(labelled) + "\n")
    study = Study(data=data, run=tmp_path / "run")
    with pytest.raises(QualityError, match="--most"):
        joint.join(PARTS, RECIPE, study, tmp_path / "zoo", per_source=1, tell=lambda *_: None)

    assert not (tmp_path / "zoo").exists()
