"""A low that may be no image at all: a person says what it is; before, it asks for nothing."""

from typing import Any

import pytest

from sonogate.domain.verdict import Band, Doubt, Ruling, Status

Clinic = Any  # the fixture of conftest.py, which no test may import
STUDY = "1.2.826.1"
TRACE = Doubt(code="m_mode", reason="Too dark", action="Raise the gain")


async def send(clinic: Clinic, band: Band = Band.LOW, **more: Any) -> str:
    """Send one picture that may be a trace; return its UID."""
    recorded = await clinic.send(band, doubt=TRACE, **more)
    return str(recorded.verdict.sop_instance_uid)


async def test_it_waits_for_a_look_and_not_for_a_new_image(clinic: Clinic) -> None:
    """Neither ready to close nor to be re-acquired."""
    await send(clinic)
    await clinic.send(Band.HIGH)
    study = await clinic.studies.get(STUDY)

    assert (False, [], [1]) == (study.ready_to_close, study.reacquire, study.doubtful)
    assert (1, 1) == (study.low, study.high)


async def test_a_trace_asks_for_nothing_any_more(clinic: Clinic) -> None:
    """One tap: it counts as nothing to grade, in every sum; the machine's word stays readable."""
    uid = await send(clinic)
    verdict = await clinic.studies.override(uid, Ruling.NOT_APPLICABLE, "It is a trace", "RN")
    study = await clinic.studies.get(STUDY)

    assert (True, [], []) == (study.ready_to_close, study.reacquire, study.doubtful)
    assert (0, 1) == (study.low, study.not_applicable)
    assert (None, Status.NOT_APPLICABLE) == (verdict.effective_band, verdict.counts_as)
    assert ("It is a trace", None, Band.LOW) == (verdict.reason, verdict.action, verdict.band)
    assert verdict == study.instances[0].verdict


async def test_an_image_is_to_be_taken_again_like_any_other(clinic: Clinic) -> None:
    """The other tap: the grade holds, and the words are those of the fault."""
    uid = await send(clinic)
    verdict = await clinic.studies.override(uid, Ruling.LOW, "It is an image", "RN")
    study = await clinic.studies.get(STUDY)

    assert (False, [1], []) == (study.ready_to_close, study.reacquire, study.doubtful)
    assert (TRACE.reason, TRACE.action) == (verdict.reason, verdict.action)
    assert not verdict.is_in_doubt


@pytest.mark.parametrize("ruling", [Ruling.LOW, Ruling.NOT_APPLICABLE])
async def test_the_doubt_comes_back_when_the_word_is_taken_back(
    clinic: Clinic, ruling: Ruling
) -> None:
    """Undo: nobody has said what it is."""
    uid = await send(clinic)
    await clinic.studies.override(uid, ruling, "a tap too quick", "RN")
    verdict = await clinic.studies.revoke_override(uid, "RN")
    study = await clinic.studies.get(STUDY)

    assert ([], [1]) == (study.reacquire, study.doubtful)
    assert ("It may be a trace", True) == (verdict.reason, verdict.is_in_doubt)


async def test_what_may_be_a_trace_neither_clears_nor_is_asked_about(clinic: Clinic) -> None:
    """Its likeness means nothing yet; as soon as a person says "an image", it does."""
    await clinic.send(Band.LOW, view="X", seed=1)
    uid = await send(clinic, Band.HIGH, view="X", seed=1)
    await send(clinic, view="Y", seed=2)
    await clinic.send(Band.HIGH, seed=2)
    study = await clinic.studies.get(STUDY)
    assert ([1], [3]) == (study.reacquire, study.doubtful)
    assert [] == [each for each in study.questions if each.older == 3]

    await clinic.studies.override(uid, Ruling.HIGH, "It is an image", "RN")
    assert [] == (await clinic.studies.get(STUDY)).reacquire
    await clinic.studies.revoke_override(uid, "RN")
    assert [1] == (await clinic.studies.get(STUDY)).reacquire


async def test_a_good_picture_in_doubt_asks_for_nothing(clinic: Clinic) -> None:
    """High or medium: there is nothing to do, whatever it is."""
    await send(clinic, Band.HIGH)
    await send(clinic, Band.MEDIUM)
    study = await clinic.studies.get(STUDY)

    assert (True, []) == (study.ready_to_close, study.doubtful)


async def test_a_person_may_call_any_picture_nothing_to_grade(clinic: Clinic) -> None:
    """What the gate graded without a doubt, and what it could not score."""
    low = await clinic.send(Band.LOW)
    unscored = await clinic.send(None, status=Status.UNSCORABLE)
    for recorded in (low, unscored):
        uid = recorded.verdict.sop_instance_uid
        await clinic.studies.override(uid, Ruling.NOT_APPLICABLE, "It is a report", "RN")
    study = await clinic.studies.get(STUDY)

    assert (True, 2, [], []) == (
        study.ready_to_close,
        study.not_applicable,
        study.reacquire,
        study.unscored,
    )
