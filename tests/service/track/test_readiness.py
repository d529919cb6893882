"""May this study be closed? Only when all that came was judged and nothing is to be redone."""

from typing import Any

import pytest

from sonogate.domain.study import StudyStatus
from sonogate.domain.verdict import Band, Ruling, Status
from sonogate.errors import StudyStateError, UnknownInstanceError, UnknownStudyError

Clinic = Any  # the fixture of conftest.py, which no test may import
STUDY = "1.2.826.1"


async def test_an_unread_object_of_the_same_sender_blocks(clinic: Clinic) -> None:
    """Nobody knows yet to which study it belongs; an object of another sender does not block."""
    await clinic.send(Band.HIGH)
    await clinic.receive(ae="CART2")
    assert (await clinic.studies.get(STUDY)).ready_to_close

    unread = await clinic.receive(ae="CART1")
    study = await clinic.studies.get(STUDY)
    assert (False, 1) == (study.ready_to_close, study.pending)

    await clinic.judge(unread, Band.HIGH, study="1.2.826.2")
    assert (await clinic.studies.get(STUDY)).ready_to_close


async def test_an_unread_object_of_a_second_sender_blocks_too(clinic: Clinic) -> None:
    """Two carts in one study: it is neither ready nor quiet before both are read."""
    await clinic.send(Band.HIGH)
    await clinic.send(Band.HIGH, ae="CART2")
    unread = await clinic.receive(ae="CART2")
    study = await clinic.studies.get(STUDY)
    assert (False, 1) == (study.ready_to_close, study.pending)
    assert [] == await clinic.quiet(2000)

    await clinic.judge(unread, Band.HIGH)
    assert [STUDY] == [change.study_uid for change in await clinic.quiet(2000)]


async def test_what_is_acknowledged_but_not_entered_blocks(clinic: Clinic) -> None:
    """The database does not hold it yet, the cart believes it kept: nobody is told "ready"."""
    unentered = clinic.database.unentered
    await clinic.send(Band.HIGH, ae="CART2")
    unentered.add("CART1", "01WAITS")
    await clinic.send(Band.HIGH)
    told = (await told_of_studies(clinic))[-1]
    assert (False, 1) == (told["ready_to_close"], told["pending"])
    assert [] == await clinic.quiet(2000)

    unentered.remove("CART1", "01WAITS")
    (change,) = await clinic.quiet(1)
    told = (await told_of_studies(clinic))[-1]
    assert (True, 0, "closed") == (told["ready_to_close"], told["pending"], told["status"])
    assert change.closed


async def test_an_object_on_its_way_is_counted_once(clinic: Clinic) -> None:
    """Entered by a commit that the registrar has not heard of yet, it is in both places."""
    await clinic.send(Band.HIGH)
    unread = await clinic.receive()
    clinic.database.unentered.add("CART1", unread.object_id)
    clinic.database.unentered.add("CART2", "01OTHER")

    assert 1 == (await clinic.studies.get(STUDY)).pending


async def test_who_was_told_to_wait_is_told_when_there_is_nothing_to_wait_for(
    clinic: Clinic,
) -> None:
    """The unread object was another study's, or a repeat: within a beat the wait is taken back."""
    await clinic.send(Band.HIGH)
    unread = await clinic.receive()
    await clinic.send(Band.HIGH)
    assert [] == await clinic.quiet(1)
    await clinic.judge(unread, Band.LOW, study="1.2.826.2")
    changes = await clinic.quiet(1)
    told = [each for each in await told_of_studies(clinic) if each["study_instance_uid"] == STUDY]

    assert [(STUDY, False, True)] == [(c.study_uid, c.closed, c.was_ready) for c in changes]
    assert [(0, True), (1, False), (0, True)] == [
        (each["pending"], each["ready_to_close"]) for each in told
    ]
    assert [] == await clinic.quiet(1)


async def told_of_studies(clinic: Clinic) -> list[dict[str, Any]]:
    """Return the bodies of all study events, oldest first."""
    told = await clinic.database.read(lambda tx: tx.events.after(0, 100))
    return [event.body for event in told if event.kind == "study"]


async def test_a_low_blocks_until_a_person_says_otherwise(clinic: Clinic) -> None:
    """An override counts for readiness; taking it back makes the low count again."""
    uid = (await clinic.send(Band.LOW)).verdict.sop_instance_uid
    assert [1] == (await clinic.studies.get(STUDY)).reacquire

    verdict = await clinic.studies.override(uid, Ruling.MEDIUM, "tall patient", "RN")
    study = await clinic.studies.get(STUDY)
    assert (Band.LOW, Band.MEDIUM, "RN") == (
        verdict.band,
        verdict.effective_band,
        verdict.override.by,
    )
    assert (True, [], 1, 0) == (study.ready_to_close, study.reacquire, study.medium, study.low)

    verdict = await clinic.studies.revoke_override(uid, "RN")
    study = await clinic.studies.get(STUDY)
    assert (None, [1]) == (verdict.override, study.reacquire)


async def test_overrides_are_audited_and_never_removed(clinic: Clinic) -> None:
    """Who said what and when stays readable after it was taken back."""
    uid = (await clinic.send(Band.LOW)).verdict.sop_instance_uid
    await clinic.studies.override(uid, Ruling.HIGH, "fine for biometry", "RN")
    await clinic.studies.revoke_override(uid, "MD")
    entries = await clinic.database.read(lambda tx: tx.audit.all())

    assert [("override", "RN"), ("revoke_override", "MD")] == [(e.action, e.by) for e in entries]
    assert {"band": "high", "reason": "fine for biometry"} == entries[0].body


async def test_an_unscorable_object_blocks_until_a_person_looked(clinic: Clinic) -> None:
    """What the machine could not judge never looks like high: a person overrides it."""
    uid = (await clinic.send(None, status=Status.UNSCORABLE)).verdict.sop_instance_uid
    study = await clinic.studies.get(STUDY)
    assert (False, [1], 1) == (study.ready_to_close, study.unscored, study.unscorable)

    await clinic.studies.override(uid, Ruling.HIGH, "seen on the cart", "RN")
    study = await clinic.studies.get(STUDY)
    assert (True, [], 1) == (study.ready_to_close, study.unscored, study.high)


async def test_what_is_not_applicable_never_blocks(clinic: Clinic) -> None:
    """A report or a Doppler strip is nothing to re-acquire."""
    await clinic.send(None, status=Status.NOT_APPLICABLE)
    study = await clinic.studies.get(STUDY)

    assert (True, 1) == (study.ready_to_close, study.not_applicable)


async def test_a_quiet_study_settles_then_closes(clinic: Clinic) -> None:
    """Receiving, settled after the settle time, closed after the close time; each is told."""
    await clinic.send(Band.LOW)
    assert [] == await clinic.quiet(59)
    settled = await clinic.quiet(2)
    assert [False] == [change.closed for change in settled]
    assert StudyStatus.SETTLED is (await clinic.studies.get(STUDY)).status
    closed = await clinic.quiet(900)
    study = await clinic.studies.get(STUDY)

    assert [(True, False)] == [(change.closed, change.was_ready) for change in closed]
    assert (StudyStatus.CLOSED, "quiet", clinic.now) == (
        study.status,
        study.closed_by,
        study.closed_at,
    )
    told = await clinic.database.read(lambda tx: tx.events.after(0, 100))
    assert ["receiving", "settled", "closed"] == [
        e.body["status"] for e in told if e.kind == "study"
    ]


async def test_a_study_with_unread_objects_is_not_quiet(clinic: Clinic) -> None:
    """A backlog is not silence: the study settles only after its sender's objects were read."""
    await clinic.send(Band.HIGH)
    unread = await clinic.receive()
    assert [] == await clinic.quiet(2000)
    await clinic.judge(unread, Band.LOW)
    assert [] == await clinic.quiet(59)

    assert [STUDY] == [change.study_uid for change in await clinic.quiet(2)]


async def test_a_late_image_reopens_visibly(clinic: Clinic) -> None:
    """A closed study that receives is open again, says how often, and says it in an event."""
    await clinic.send(Band.HIGH)
    closed = await clinic.studies.close(STUDY, "RN")
    assert (StudyStatus.CLOSED, "rest") == (closed.status, closed.closed_by)
    await clinic.send(Band.LOW)
    study = await clinic.studies.get(STUDY)
    told = await clinic.database.read(lambda tx: tx.events.after(0, 100))

    assert (StudyStatus.RECEIVING, 1, None) == (study.status, study.reopened, study.closed_at)
    assert 1 == told[-1].body["reopened"]


async def test_closing_twice_changes_nothing(clinic: Clinic) -> None:
    """The second close tells nobody anything."""
    await clinic.send(Band.HIGH)
    first = await clinic.studies.close(STUDY, "RN")
    before = await clinic.database.read(lambda tx: tx.events.last_id())

    assert first == await clinic.studies.close(STUDY, "MD")
    assert before == await clinic.database.read(lambda tx: tx.events.last_id())


async def test_what_is_not_there_is_said_to_be_unknown(clinic: Clinic) -> None:
    """Unknown instances, studies and pictures raise; an override needs a verdict."""
    with pytest.raises(UnknownInstanceError):
        await clinic.studies.instance("9.9.9")
    with pytest.raises(UnknownInstanceError):
        await clinic.studies.instance("")
    with pytest.raises(UnknownInstanceError):
        await clinic.studies.verdict_of_object("01")
    with pytest.raises(UnknownStudyError):
        await clinic.studies.close("9.9.9", "RN")
    received = await clinic.receive()
    with pytest.raises(StudyStateError):
        await clinic.studies.override(received.sop_instance_uid, Ruling.HIGH, "why not", "RN")


async def test_hostile_text_is_only_text(clinic: Clinic) -> None:
    """What a sender or a person writes is bound, never spliced into SQL."""
    hostile = "1.2'); DROP TABLE objects;--"
    received = await clinic.receive(hostile, ae="'; DELETE --")
    await clinic.judge(received, Band.LOW, study=hostile, view="' OR 1=1")
    await clinic.studies.override(hostile, Ruling.HIGH, "'; DROP TABLE audit;--", "x' OR '1'='1")

    assert 1 == (await clinic.studies.get(hostile)).high
    with pytest.raises(UnknownInstanceError):
        await clinic.studies.instance("x' OR '1'='1")
