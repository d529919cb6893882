"""A good image clears the earlier low of its view; what is not sure is asked."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonogate.domain.verdict import Band, Ruling
from sonogate.errors import StudyStateError
from sonogate.track.reacquisition import CLEAR_FROM
from sonogate.track.similarity import is_twin, similarities
from tests.service.track.reacquisition_trial import measure, share

Clinic = Any  # the fixture of conftest.py
Cells = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Draw = Callable[[int], Cells]
STUDY = "1.2.826.1"


def degraded(cells: Cells) -> Cells:
    """Dark, a quarter without contact, and the probe one cell aside."""
    worse = np.roll(cells * 0.5, 1, axis=1)
    worse[:, :6] = 2
    return worse.astype(np.uint8)


async def test_an_equal_view_clears_the_earlier_low(clinic: Clinic) -> None:
    """View codes match without regard to case; both verdicts name each other."""
    low = await clinic.send(Band.LOW, view="SCT:69536005")
    good = await clinic.send(Band.HIGH, view="sct:69536005")
    study = await clinic.studies.get(STUDY)
    low_uid, good_uid = (each.verdict.sop_instance_uid for each in (low, good))

    assert (("view",), low_uid) == (good.cleared, good.verdict.supersedes)
    assert good_uid == (await clinic.studies.instance(low_uid)).superseded_by
    assert ([], True, 1) == (study.reacquire, study.ready_to_close, study.low)
    assert [(None, 2), (1, None)] == [(i.replaces, i.replaced_by) for i in study.instances]


async def test_empty_never_matches_empty(clinic: Clinic) -> None:
    """Most carts leave the view empty: two images without one are not of the same view."""
    await clinic.send(Band.LOW, view=None)
    for view in (None, ""):
        await clinic.send(Band.HIGH, view=view)

    assert [1] == (await clinic.studies.get(STUDY)).reacquire


async def test_a_similar_picture_clears_the_earlier_low(clinic: Clinic, draw: Draw) -> None:
    """Without a view the pictures speak, though the earlier one is dark and half in the air."""
    await clinic.send(Band.LOW, cells=degraded(draw(1)))
    good = await clinic.send(Band.MEDIUM, cells=draw(1))

    assert ("similarity",) == good.cleared
    assert [] == (await clinic.studies.get(STUDY)).reacquire


async def test_all_failed_attempts_are_cleared_by_the_good_one(clinic: Clinic) -> None:
    """Two lows of a view and then a good one: nothing is left; the last low is the one named."""
    lows = [await clinic.send(Band.LOW, view="LIVER") for _ in range(2)]
    good = await clinic.send(Band.HIGH, view="LIVER")

    assert [] == (await clinic.studies.get(STUDY)).reacquire
    assert lows[1].verdict.sop_instance_uid == good.verdict.supersedes


async def test_another_picture_only_asks(clinic: Clinic, draw: Draw) -> None:
    """A different picture after a low may be anything: the page asks, once for each low."""
    await clinic.send(Band.LOW, cells=degraded(draw(1)))
    await clinic.send(Band.HIGH, cells=draw(2))
    await clinic.send(Band.HIGH, cells=draw(3))
    study = await clinic.studies.get(STUDY)

    assert ([1], 1) == (study.reacquire, len(study.questions))
    assert 1 == study.questions[0].older


async def test_a_yes_clears_and_a_no_asks_about_the_next(clinic: Clinic, draw: Draw) -> None:
    """One tap: no moves the question to the next image, yes clears the low by that person."""
    low = await clinic.send(Band.LOW, cells=degraded(draw(1)))
    await clinic.send(Band.HIGH, cells=draw(2))
    await clinic.send(Band.HIGH, cells=draw(3))
    asked = (await clinic.studies.get(STUDY)).questions[0].newer
    study = await clinic.studies.answer(STUDY, asked, 1, replaces=False, by="RN")
    following = {2: 3, 3: 2}[asked]
    assert [(following, 1)] == [(q.newer, q.older) for q in study.questions]

    study = await clinic.studies.answer(STUDY, following, 1, replaces=True, by="RN")
    assert ([], [], following) == (study.reacquire, study.questions, study.instances[0].replaced_by)
    assert (await clinic.studies.instance(low.verdict.sop_instance_uid)).superseded_by
    with pytest.raises(StudyStateError):
        await clinic.studies.answer(STUDY, following, 1, replaces=True, by="RN")
    entries = await clinic.database.read(lambda tx: tx.audit.all())
    assert [("answer", "no"), ("answer", "yes")] == [(e.action, e.body["answer"]) for e in entries]


async def test_two_named_views_that_differ_are_neither_cleared_nor_asked(clinic: Clinic) -> None:
    """The annotation says it is another view: nothing suggests a re-acquisition."""
    await clinic.send(Band.LOW, view="LIVER")
    await clinic.send(Band.HIGH, view="SPLEEN")
    study = await clinic.studies.get(STUDY)

    assert ([1], []) == (study.reacquire, study.questions)


async def test_alike_pictures_of_differing_views_are_asked(clinic: Clinic, draw: Draw) -> None:
    """Picture and annotation contradict each other: a person decides."""
    await clinic.send(Band.LOW, view="LEFT", seed=1)
    good = await clinic.send(Band.HIGH, view="RIGHT", seed=1)
    study = await clinic.studies.get(STUDY)

    assert ((), [1], [(2, 1)]) == (
        good.cleared,
        study.reacquire,
        [(q.newer, q.older) for q in study.questions],
    )


KIDNEY = {"view": "SCT:64033007", "seed": 1}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"laterality": "R"}, {"laterality": "L"}),
        ({"view_modifiers": "SCT:24028007"}, {"view_modifiers": "SCT:7771000"}),
    ],
)
async def test_the_other_side_never_clears(
    clinic: Clinic, older: dict[str, str], newer: dict[str, str]
) -> None:
    """A left kidney is no right one, whatever the view code and the pictures say."""
    await clinic.send(Band.LOW, **KIDNEY, **older)
    good = await clinic.send(Band.HIGH, **KIDNEY, **newer)
    unlike = await clinic.send(Band.HIGH, view=KIDNEY["view"], seed=2, **newer)
    study = await clinic.studies.get(STUDY)

    assert ((), (), [1]) == (good.cleared, unlike.cleared, study.reacquire)
    assert [(2, 1)] == [(q.newer, q.older) for q in study.questions]


@pytest.mark.parametrize("older", [{}, {"laterality": "R"}])
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_side_that_only_one_image_tells_is_asked(
    clinic: Clinic, older: dict[str, str], seed: int
) -> None:
    """Alike or not: the view is the same, the side unknown; a tap decides."""
    await clinic.send(Band.LOW, **KIDNEY, **older)
    newer = {} if older else {"laterality": "R"}
    good = await clinic.send(Band.HIGH, view=KIDNEY["view"], seed=seed, **newer)
    study = await clinic.studies.get(STUDY)

    assert ((), [(2, 1)]) == (good.cleared, [(q.newer, q.older) for q in study.questions])


async def test_the_same_side_clears(clinic: Clinic) -> None:
    """Equal view, equal side, equal modifiers."""
    side = {"laterality": "R", "view_modifiers": "SCT:24028007"}
    await clinic.send(Band.LOW, view=KIDNEY["view"], **side)

    assert ("view",) == (await clinic.send(Band.HIGH, view=KIDNEY["view"], **side)).cleared


async def test_an_earlier_good_image_clears_nothing(clinic: Clinic) -> None:
    """Only a later image can be a re-acquisition."""
    await clinic.send(Band.HIGH, view="LIVER")
    await clinic.send(Band.LOW, view="LIVER")

    assert [2] == (await clinic.studies.get(STUDY)).reacquire


async def test_acquisition_time_decides_what_is_later(clinic: Clinic) -> None:
    """A cart that sends the exam backwards: the good one came first but was made last."""
    made = clinic.now
    await clinic.send(Band.HIGH, view="LIVER", acquired_at=made + timedelta(seconds=40))
    await clinic.send(Band.LOW, view="LIVER", acquired_at=made)

    assert [] == (await clinic.studies.get(STUDY)).reacquire


async def test_a_good_image_made_before_the_low_clears_nothing(clinic: Clinic) -> None:
    """Received last but acquired first: what went wrong after it was not made good by it."""
    made = clinic.now
    await clinic.send(Band.LOW, view="LIVER", acquired_at=made + timedelta(seconds=40))
    await clinic.send(Band.HIGH, view="LIVER", acquired_at=made)

    assert [1] == (await clinic.studies.get(STUDY)).reacquire


async def test_workers_that_finish_out_of_order_clear_all_the_same(clinic: Clinic) -> None:
    """The low is judged after the good one that was received later."""
    low = await clinic.receive()
    good = await clinic.receive()
    await clinic.judge(good, Band.HIGH, view="LIVER")
    await clinic.judge(low, Band.LOW, view="LIVER")

    assert [] == (await clinic.studies.get(STUDY)).reacquire


async def test_an_overridden_re_acquisition_no_longer_clears(clinic: Clinic) -> None:
    """If a person says the new image is low too, the old one needs re-acquiring again."""
    low = await clinic.send(Band.LOW, view="LIVER")
    good = await clinic.send(Band.HIGH, view="LIVER")
    uid = good.verdict.sop_instance_uid
    verdict = await clinic.studies.override(uid, Ruling.LOW, "wrong plane", "RN")
    assert (None, [1, 2]) == (verdict.supersedes, (await clinic.studies.get(STUDY)).reacquire)
    assert (await clinic.studies.instance(low.verdict.sop_instance_uid)).superseded_by is None

    await clinic.studies.revoke_override(uid, "RN")
    assert [] == (await clinic.studies.get(STUDY)).reacquire


async def test_another_study_is_never_cleared(clinic: Clinic) -> None:
    """The same view of the next patient has nothing to do with it."""
    await clinic.send(Band.LOW, view="LIVER")
    await clinic.send(Band.HIGH, view="LIVER", study="1.2.826.2")

    assert [1] == (await clinic.studies.get(STUDY)).reacquire


@pytest.mark.parametrize("calipers_first", [True, False])
async def test_a_caliper_frame_and_its_clean_twin_count_once(
    clinic: Clinic, draw: Draw, *, calipers_first: bool
) -> None:
    """Both are low, one needs re-acquiring: the clean one, whichever came first."""
    marked = draw(1).copy()
    marked[10:13, 10] = 250
    clean_number, marked_number = (2, 1) if calipers_first else (1, 2)
    for number in (1, 2):
        cells = marked if number == marked_number else draw(1)
        await clinic.send(Band.LOW, cells=cells, calipers=number == marked_number)
    study = await clinic.studies.get(STUDY)

    assert (2, 1, [clean_number]) == (study.received, study.low, study.reacquire)
    assert clean_number == study.instances[marked_number - 1].twin_of
    assert study.instances[clean_number - 1].twin_of is None


async def test_a_good_caliper_frame_is_no_twin_of_a_bad_frame(clinic: Clinic, draw: Draw) -> None:
    """A re-acquisition with calipers clears the low like any other; it is not the same frame."""
    await clinic.send(Band.LOW, cells=degraded(draw(1)))
    good = await clinic.send(Band.HIGH, seed=1, calipers=True)

    assert ("similarity",) == good.cleared
    assert (await clinic.studies.get(STUDY)).instances[1].twin_of is None


async def test_clearing_a_low_needs_few_looks_back(clinic: Clinic) -> None:
    """30 lows of one view and a good one: the 20 newest are looked at, the rest is asked for."""
    for _ in range(30):
        await clinic.send(Band.LOW, view="LIVER")
    await clinic.send(Band.HIGH, view="LIVER")

    assert list(range(1, 11)) == (await clinic.studies.get(STUDY)).reacquire


def test_nothing_is_like_an_empty_picture(draw: Draw) -> None:
    """A blank fingerprint, or none, has no similarity: not even with another blank one."""
    blank = bytes(32 * 32)
    found = similarities(blank, [blank, None, draw(1).tobytes()])

    assert [None, None, None] == found
    assert [None, None] == similarities(draw(1).tobytes(), [blank, b"short"])
    assert not is_twin(blank, blank)


def test_a_picture_is_like_itself_and_not_its_negative(draw: Draw) -> None:
    """1 for the same, below 0 for the negative, small for a stranger."""
    same, negative, stranger = similarities(
        draw(1).tobytes(), [draw(1).tobytes(), (255 - draw(1)).tobytes(), draw(2).tobytes()]
    )

    assert same == pytest.approx(1.0, abs=1e-3)
    assert negative is not None
    assert stranger is not None
    assert negative < CLEAR_FROM
    assert stranger < CLEAR_FROM


@pytest.mark.slow
def test_the_threshold_rarely_clears_a_wrong_low(shared_dir: Path) -> None:
    """On real images: under 1 % of strangers are cleared, most moderate re-acquisitions found."""
    trial = measure(shared_dir / "data", n_newer=30, n_low=2)

    assert len(trial.strangers) > 2000
    assert share(trial.strangers, CLEAR_FROM) < 0.01
    assert share(trial.same_image, CLEAR_FROM) > 0.4
    assert np.mean(trial.twins) > 0.9
    assert not any(trial.false_twins)
