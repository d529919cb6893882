"""On a machine with a GPU: each rung really loads and gives the golden scores. `make gpu-check`."""

from pathlib import Path

import pytest

from sonoquality import golden
from sonoquality.model import QualityModel
from sonoquality.zoo import HUMBLE, SHIPPED, default_zoo

ENTRIES = (HUMBLE, SHIPPED)

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", ENTRIES, ids=str)
@pytest.mark.parametrize("rung", ["cuda", "tensorrt"])
def test_a_gpu_rung_gives_the_golden_scores(rung: str, name: Path, tmp_path: Path) -> None:
    """No silent fall to the CPU, and the same scores within the golden tolerance."""
    entry = default_zoo() / name
    model = QualityModel.load(entry, providers=(rung,), cache=tmp_path)

    assert rung == model.provider
    assert [] == golden.differences(model, entry)
