"""Clean images of organs that nobody judges: what they are worth is known all the same."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality.labelling.spoiled import Copy
from sonoquality.training.medqm.ranks import Ranks
from sonoquality.training.medqm.smoothing import smoothed
from sonoquality.training.medqm.unharmed import with_clean_labels
from tests.models.training.test_medqm import examples

pytestmark = pytest.mark.train
COPIES = [
    Copy(kind="clean"),
    Copy(kind="jitter"),
    Copy(kind="ladder", faults={"SPK": 3}),
    Copy(kind="blank"),
]
JUDGED, OTHER = (
    replace(each, copies=COPIES, labels=np.array(labels))
    for each, labels in zip(
        examples(2), ([0.94, 0.92, 0.5, 0.05], [0.96, 0.90, 0.7, 0.03]), strict=True
    )
)
UNJUDGED = replace(JUDGED, name="lung", organ="lung", labels=None)


def test_a_clean_image_has_the_label_of_clean_images() -> None:
    """And a harmless change that of harmless changes; of a fault nothing is known."""
    first, second, third = with_clean_labels([JUDGED, OTHER, UNJUDGED])
    assert third.labels == pytest.approx(np.array([0.95, 0.91, np.nan, np.nan]), nan_ok=True)
    assert (first, second) == (JUDGED, OTHER)


def test_where_nobody_judged_anything_nothing_is_known() -> None:
    """No number is made up."""
    (only,) = with_clean_labels([UNJUDGED])
    assert only.labels is not None
    assert np.isnan(only.labels).all()


def test_what_is_not_known_has_no_rank_and_moves_nothing() -> None:
    """Not the ranks of others either."""
    given = [JUDGED, OTHER, UNJUDGED]
    ranks = Ranks.among(given)
    told = ranks.told(with_clean_labels(given))
    assert told[2].ranks == pytest.approx(
        np.append(ranks.of(np.array([0.95, 0.91])), [np.nan, np.nan]), nan_ok=True
    )
    without, moved = smoothed(ranks.told([JUDGED, OTHER]), 0.5), smoothed(told, 0.5)
    assert without[0].ranks == pytest.approx(moved[0].ranks)
    assert without[0].labels == pytest.approx(moved[0].labels)
