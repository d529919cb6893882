"""The sheet of heat maps shows every fault of every picture, and where it really is."""

import numpy as np
import pytest

from sonoquality.model import QualityModel
from sonoquality.trials import maps
from sonoquality.trials.maps import Subject
from sonoquality.zoo import SHIPPED, default_zoo
from tests.models.phantoms import SCANS, tissue


@pytest.fixture
def subject() -> Subject:
    """A fan with a bright spot."""
    grey = np.rint(tissue(SCANS["fan"]) * 255).astype(np.uint8)
    return Subject.of("fan", grey, SCANS["fan"], 3)


def test_every_fault_has_its_row(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cells wide, after the picture as it is; area, heat and box have their colours."""
    monkeypatch.setattr(maps, "FAULTS", ("CON", "REV"))
    model = QualityModel.load(default_zoo() / SHIPPED, ("cpu",))
    sheet = maps.sheet([subject], model, lambda *_: None)
    cell = round(maps.WIDTH_PX * subject.luma.shape[0] / subject.luma.shape[1])
    step = cell + maps.TITLE_PX + maps.GAP_PX
    pixels = np.asarray(sheet.convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).reshape(3, step, -1).any(axis=(1, 2))

    assert (4 * (maps.WIDTH_PX + maps.GAP_PX), 3 * step) == sheet.size
    assert [False, True, True] == blue.tolist()
    assert (np.abs(pixels - maps.BOX_COLOUR).sum(axis=2) < 30).any()


def test_the_area_is_the_faults_own_or_where_the_grey_changed(subject: Subject) -> None:
    """Of a fault that names its area, that; of another, near what changed and nowhere else."""
    spoiled = subject.luma.copy()
    spoiled[150:160, 150:170] += 60
    changed = maps.spoilt_area("REV", subject, spoiled)
    named = maps.spoilt_area("CON", subject, spoiled)

    assert changed[150:160, 150:170].all()
    assert not changed[60:110].any()
    assert named.any()
    assert not (named & ~subject.mask).any()
    assert not np.array_equal(named, changed)
