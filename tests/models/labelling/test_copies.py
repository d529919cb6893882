"""What diagnosticians are shown."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality import degrade
from sonoquality.labelling import spoiled, squares
from sonoquality.labelling.cases import Scan
from sonoquality.labelling.spoiled import Copy
from tests.models.phantoms import SCANS, tissue

pytestmark = pytest.mark.train
FAN = SCANS["fan"]
SCAN = Scan(image=tissue(FAN), mask=FAN, target=None)


def test_speckle_alone_keeps_nothing_but_the_shape() -> None:
    """Layers and any likeness to the tissue are gone."""
    made = spoiled.speckle_only(SCAN, seed=7)
    assert not made[~FAN].any()
    rows = np.arange(FAN.shape[0])[:, None]
    inside = [made[FAN & (rows % 40 < 20)].mean(), made[FAN & (rows % 40 >= 20)].mean()]
    assert inside[0] == pytest.approx(inside[1], abs=0.01)  # the tissue's layers are gone
    relation = np.corrcoef(made[FAN], SCAN.image[FAN])[0, 1]
    assert abs(relation) < 0.05


def test_the_same_seed_makes_the_same_copy() -> None:
    """A label can be made again."""
    copy = Copy(kind="ladder", faults={"SPK": 3})
    first, again = (spoiled.make(copy, SCAN, 5) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, spoiled.make(copy, SCAN, 6))


def test_copies_have_the_greys_of_a_file() -> None:
    """A network sees what a cart could have sent."""
    made = spoiled.make(Copy(kind="ladder", faults={"HAZ": 4}), SCAN, 5) * 255
    assert np.abs(made - np.rint(made)).max() < 1e-4


def test_what_is_held_out_leaves_each_kind_of_fault_a_teacher() -> None:
    """Every attribute has an operator that is taught."""
    from sonoquality.training.medqm.priors import ATTRIBUTE_OF, NAMES

    taught = {ATTRIBUTE_OF[name] for name in spoiled.TAUGHT if name in ATTRIBUTE_OF}
    assert taught == set(NAMES)
    assert set(spoiled.HELD_OUT) < set(degrade.LADDER)


@pytest.mark.parametrize("name", sorted(SCANS))
def test_the_square_of_tissue_lies_in_the_scan(name: str) -> None:
    """No pixel outside; and it is not a crumb."""
    mask = SCANS[name]
    top, left, side = squares.largest_square(mask)
    assert mask[top : top + side, left : left + side].mean() > 0.97
    assert side**2 > 0.3 * mask.sum()


def test_who_names_tissue_does_not_see_the_frame() -> None:
    """What surrounds a scan changes nothing."""
    greys = np.rint(SCAN.image * 255).astype(np.uint8)[None]
    framed = greys.copy()
    framed[0][~FAN] = 200  # whatever surrounds the scan
    assert np.array_equal(squares.tissue(greys, FAN, 64), squares.tissue(framed, FAN, 64))
    assert np.array_equal(squares.whole(greys, FAN, 64), squares.whole(framed, FAN, 64))
