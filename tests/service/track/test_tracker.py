"""Recording verdicts: once, with the study and everything that is to be told."""

from typing import Any

from sonogate.domain.instance import MediaType
from sonogate.domain.verdict import Band, Status
from sonogate.store.records import Event

Clinic = Any  # the fixture of conftest.py, which no test may import
STUDY = "1.2.826.1"


async def events(clinic: Clinic, after: int = 0) -> list[Event]:
    """Return every event so far."""
    found: list[Event] = await clinic.database.read(lambda tx: tx.events.after(after, 1000))
    return found


async def test_a_verdict_is_recorded_with_its_study_and_events(clinic: Clinic) -> None:
    """One record leaves a verdict, a study that receives, two events and their deliveries."""
    recorded = await clinic.send(Band.HIGH, exam_type="LIVER")
    study = await clinic.studies.get(STUDY)
    backlog = await clinic.database.read(lambda tx: tx.deliveries.backlog())

    assert (1, 1, 1) == (recorded.number, study.received, study.high)
    assert ("receiving", "CART1", "LIVER") == (study.status, study.calling_ae, study.exam_type)
    assert study.ready_to_close
    assert ["verdict", "study"] == [event.kind for event in await events(clinic)]
    assert 2 == backlog[0]


async def test_a_second_record_changes_nothing(clinic: Clinic) -> None:
    """Two workers that finish one object after a lost lease leave one verdict and one event."""
    received = await clinic.receive()
    first = await clinic.judge(received, Band.LOW)
    before = len(await events(clinic))
    second = await clinic.judge(received, Band.HIGH)

    assert (first.verdict, ()) == (second.verdict, second.event_ids)
    assert before == len(await events(clinic))
    assert 1 == (await clinic.studies.get(STUDY)).received


async def test_the_verdict_event_is_the_verdict_as_read(clinic: Clinic) -> None:
    """Every door shows the same form: the event's body equals what REST answers."""
    recorded = await clinic.send(Band.MEDIUM)
    told = (await events(clinic))[0]
    read = await clinic.studies.instance(recorded.verdict.sop_instance_uid)

    assert read.model_dump(mode="json") == told.body["verdict"]
    assert 1 == told.body["number"]


async def test_an_unjudged_object_is_pending(clinic: Clinic) -> None:
    """Between keeping and judging, the verdict says so instead of being unknown."""
    received = await clinic.receive()

    for verdict in (
        await clinic.studies.instance(received.sop_instance_uid),
        await clinic.studies.verdict_of_object(received.object_id),
    ):
        assert (Status.PENDING, None) == (verdict.status, verdict.band)


async def test_the_latest_content_of_a_uid_is_current(clinic: Clinic) -> None:
    """Same UID, other bytes: both keep their verdict, the instance shows the latest received."""
    old = await clinic.receive("1.9", content="a")
    await clinic.judge(old, Band.LOW)
    new = await clinic.receive("1.9", content="b")
    assert Status.PENDING is (await clinic.studies.instance("1.9")).status
    await clinic.judge(new, Band.HIGH)
    study = await clinic.studies.get(STUDY)

    assert Band.HIGH is (await clinic.studies.instance("1.9")).band
    assert Band.LOW is (await clinic.studies.instance("1.9", old.content_sha256)).band
    versions = await clinic.studies.versions("1.9")
    assert [old.content_sha256, new.content_sha256] == [sha256 for sha256, _ in versions]
    assert [(True, False), (True, True)] == [(i.conflict, i.current) for i in study.instances]
    assert (2, 1, 0, []) == (study.received, study.high, study.low, study.reacquire)


async def test_an_old_content_judged_late_does_not_become_current(clinic: Clinic) -> None:
    """The order of receipt decides, not the order in which workers finish."""
    old = await clinic.receive("1.9", content="a")
    new = await clinic.receive("1.9", content="b")
    await clinic.judge(new, Band.LOW)
    await clinic.judge(old, Band.HIGH)
    study = await clinic.studies.get(STUDY)

    assert Band.LOW is (await clinic.studies.instance("1.9")).band
    assert [1] == study.reacquire


async def test_a_plain_picture_has_a_verdict_but_no_study(clinic: Clinic) -> None:
    """A PNG has no UID: it is found by its object id, and opens no study."""
    received = await clinic.receive(media_type=MediaType.PNG)
    recorded = await clinic.judge(received, Band.LOW, study=None)

    assert (None, None) == (recorded.study_uid, recorded.number)
    assert Band.LOW is (await clinic.studies.verdict_of_object(received.object_id)).band
    assert b"png" == await clinic.studies.picture_of_object(received.object_id, "thumbnail")
    assert [] == await clinic.studies.list()
