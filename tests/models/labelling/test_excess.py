"""From losses to labels, on numbers that are written down."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from sonoquality.labelling.cases import Case
from sonoquality.labelling.diagnosing import Diagnosed
from sonoquality.labelling.excess import labels, scale_of
from sonoquality.labelling.spoiled import Copy
from tests.models.labelling.test_folds import ROW

pytestmark = pytest.mark.train

COPIES = [
    Copy(kind="clean"),
    *(Copy(kind="ladder", faults={"ATT": level}) for level in range(1, 6)),
    *(Copy(kind="jitter", number=number) for number in range(2)),
    Copy(kind="blank"),
]
EXCESS = np.array([0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.02, 0.01, 1.0])


def judged(number: int, names: tuple[str, ...], excess: np.ndarray = EXCESS) -> Diagnosed:
    """A case with the same losses for each name."""
    rng = np.random.default_rng(number)
    row = replace(ROW, group=f"patient {number}", sha256=f"{number:064x}", path=Path(f"{number}"))
    losses = 0.3 + excess + 0.002 * rng.random(len(COPIES))
    both = np.stack([losses, losses], axis=1)
    return Diagnosed(
        case=Case(row=row, disease="", target_path=None),
        copies=COPIES,
        losses=dict.fromkeys(names, both),
    )


NAMES = ("outline-liver", "disease-liver", "organ")
FOUND = [judged(number, NAMES) for number in range(30)]
SCALES = {name: scale_of(name, FOUND) for name in NAMES}


def test_the_anchors_are_where_they_are_said_to_be() -> None:
    """Harmless is .90, speckle .05, and faults lie between in order."""
    scale = SCALES["organ"]
    assert scale.usable
    losses = FOUND[0].losses["organ"]
    quality = scale.quality(losses)
    assert quality[6:8].min() > 0.89  # harmless changes
    assert quality[-1] == pytest.approx(0.05, abs=0.01)  # speckle alone
    assert np.all(np.diff(quality[:6]) < 0)


def test_a_copy_that_helps_by_chance_is_no_better_than_the_clean_image() -> None:
    """A gain counts as nothing."""
    scale = SCALES["organ"]
    losses = np.array([[0.5, 0.5], [0.1, 0.1]])
    assert scale.deltas(losses)[1] == 0
    assert scale.quality(losses)[1] == scale.quality(losses)[0]


def test_two_of_a_kind_count_once() -> None:
    """A second outline shares the vote of the first."""
    each = judged(1, NAMES)
    ruined = {
        **each.losses,
        "outline-breast": each.losses["organ"] + 5 * (np.arange(9) > 0)[:, None],
    }
    both = replace(each, losses=ruined)
    scales = {**SCALES, "outline-breast": replace(SCALES["organ"], name="outline-breast")}
    alone, joined = labels(each, SCALES), labels(both, scales)
    assert alone is not None
    assert joined is not None
    change = alone[0][1] - joined[0][1]
    assert change == pytest.approx(alone[0][1] / 6, abs=0.02)  # half of one in three


def test_two_kinds_are_too_few_for_a_label() -> None:
    """Three are asked for."""
    assert labels(judged(1, NAMES[:2]), SCALES) is None


def test_who_does_not_mind_speckle_is_not_usable() -> None:
    """Its anchors lie too close."""
    flat = np.where(np.arange(9) == 8, 0.01, EXCESS)
    found = [judged(number, ("organ",), flat) for number in range(30)]
    assert not scale_of("organ", found).usable


def test_validation_images_move_no_scale() -> None:
    """Scales are made of training images."""
    val = [
        replace(each, case=replace(each.case, row=replace(each.case.row, split="val")))
        for each in (judged(number, NAMES, 9 * EXCESS) for number in range(30, 60))
    ]
    assert scale_of("organ", [*FOUND, *val]) == SCALES["organ"]


def test_nothing_judged_names_the_remedy() -> None:
    """The message says what to do."""
    with pytest.raises(ValueError, match="label more of them"):
        scale_of("organ", [])
