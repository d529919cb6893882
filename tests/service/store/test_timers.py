"""Times to come, after the machine's clock was set."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from sonogate.domain.study import StudyStatus
from sonogate.store.database import Database
from sonogate.store.forward_records import BreakerRow
from sonogate.store.records import DeliveryTarget, DeliveryTargets, EventKind, StudyRow
from sonogate.store.tables import objects
from sonogate.store.timers import _TIMERS
from sonogate.store.transaction import Transaction
from tests.service.store.conftest import MakeReceived

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
HOOK = "https://ris.example/hook"
TARGETS = DeliveryTargets(
    targets=(DeliveryTarget(url=HOOK, kinds=frozenset({EventKind.STUDY.value})),)
)


def study(uid: str, status: StudyStatus) -> StudyRow:
    """Make a study that was judged now."""
    return StudyRow(
        study_instance_uid=uid,
        accession_number=None,
        calling_ae="CART1",
        exam_type=None,
        status=status,
        opened_at=NOW,
        last_received_at=NOW,
        last_judged_at=NOW,
        n_instances=1,
    )


def fill(tx: Transaction, make_received: MakeReceived) -> str:
    """Let somebody wait for each kind of time; return the object that is claimed."""
    received = make_received()
    tx.objects.keep(received)
    tx.objects.claim("gate", NOW, 60, 1)
    tx.studies.add(study("1.2", StudyStatus.RECEIVING))
    tx.studies.add(study("1.3", StudyStatus.CLOSED))
    tx.events.append(EventKind.STUDY, NOW, {"n": 1}, TARGETS, study_uid="1.2")
    tx.forward_queues.break_off(
        BreakerRow(destination="pacs", n_failed=1, rest_until=NOW, since=NOW, reason="lost")
    )
    return str(received.object_id)


def lease_of(tx: Transaction, object_id: str) -> datetime:
    """Return until when an object is lent."""
    statement = select(objects.c.lease_until).where(objects.c.object_id == object_id)
    lease: datetime = tx.timers._connection.execute(statement).scalar_one()
    return lease


@pytest.mark.parametrize("hours", [-3, 5])
async def test_what_is_waited_for_moves_with_the_clock(
    database: Database, make_received: MakeReceived, hours: int
) -> None:
    """As long as before until each of them; what is over stays when it was."""
    step = timedelta(hours=hours)
    object_id = await database.write(lambda tx: fill(tx, make_received))
    n_moved = await database.write(lambda tx: tx.timers.move(step))
    lease = await database.read(lambda tx: lease_of(tx, object_id))
    open_study = await database.read(lambda tx: tx.studies.get("1.2"))
    closed_study = await database.read(lambda tx: tx.studies.get("1.3"))
    breaker = await database.read(lambda tx: tx.forward_queues.breaker("pacs"))
    before = await database.read(lambda tx: tx.deliveries.due(NOW + step - timedelta(seconds=1), 9))
    due = await database.read(lambda tx: tx.deliveries.due(NOW + step, 9))

    assert 4 == n_moved
    assert NOW + step + timedelta(seconds=60) == lease
    assert open_study is not None
    assert closed_study is not None
    assert breaker is not None
    assert [NOW + step, NOW] == [open_study.last_judged_at, closed_study.last_judged_at]
    assert NOW + step == breaker.rest_until
    assert [0, 1] == [len(before), len(due)]


def test_every_next_attempt_is_moved() -> None:
    """A new table whose rows wait for a time can't be forgotten."""
    moved = {column for timer in _TIMERS for column in timer.columns}
    waiting = {
        column
        for table in objects.metadata.tables.values()
        for column in table.columns
        if column.name in {"next_attempt_at", "lease_until", "hold_until", "rest_until"}
    }

    assert set() == waiting - moved
