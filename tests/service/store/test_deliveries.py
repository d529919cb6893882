"""The outbox: written with the event, in order per study, never forgotten."""

from datetime import UTC, datetime, timedelta

import pytest

from sonogate.store.database import Database
from sonogate.store.records import Delivery, DeliveryTarget, DeliveryTargets, EventKind

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
RIS, WARD = "https://ris.example/hook", "https://ward.example/hook"
TARGETS = DeliveryTargets(
    targets=(
        DeliveryTarget(url=RIS, kinds=frozenset({"verdict", "study"})),
        DeliveryTarget(url=WARD, kinds=frozenset({"study"})),
    )
)


async def tell(database: Database, kind: EventKind, study: str) -> int:
    """Append one event."""
    return await database.write(
        lambda tx: tx.events.append(kind, NOW, {"n": 1}, TARGETS, study_uid=study)
    )


async def due(database: Database, now: datetime = NOW) -> list[Delivery]:
    """Return everything whose time has come."""
    return await database.read(lambda tx: tx.deliveries.due(now, 100))


async def next_up(database: Database, now: datetime = NOW, url: str = RIS) -> list[Delivery]:
    """Return what one receiver may get now."""
    return await database.read(lambda tx: tx.deliveries.next_per_lane(url, now, 100))


async def test_each_receiver_is_owed_the_kinds_it_wants(database: Database) -> None:
    """A verdict goes to one, a study change to both; each with a key of its own."""
    await tell(database, EventKind.VERDICT, "1")
    await tell(database, EventKind.STUDY, "2")
    owed = await due(database)

    assert [("verdict", RIS), ("study", RIS), ("study", WARD)] == [
        (each.event.kind, each.target_url) for each in owed
    ]
    assert 3 == len({each.idempotency_key for each in owed})
    assert [WARD] == [each.target_url for each in await next_up(database, url=WARD)]


async def test_a_receiver_sees_a_study_in_order(database: Database) -> None:
    """Only the oldest undelivered event of a study may be tried; others do not wait for it."""
    first = await tell(database, EventKind.VERDICT, "1")
    second = await tell(database, EventKind.VERDICT, "1")
    other = await tell(database, EventKind.VERDICT, "2")
    owed = await next_up(database)
    assert [first, other] == [each.event.id for each in owed]

    later = NOW + timedelta(minutes=5)
    await database.write(lambda tx: tx.deliveries.failed(owed[0].id, NOW, later))
    assert [other] == [each.event.id for each in await next_up(database)]
    (again, _) = await next_up(database, later)
    assert (first, owed[0].idempotency_key, 1) == (
        again.event.id,
        again.idempotency_key,
        again.attempts,
    )

    await database.write(lambda tx: tx.deliveries.delivered(owed[0].id, later))
    assert [second, other] == [each.event.id for each in await next_up(database)]


async def test_the_backlog_is_what_nobody_took(database: Database) -> None:
    """Count and age of what is owed; nothing once all was taken."""
    assert (0, None) == await database.read(lambda tx: tx.deliveries.backlog())
    await tell(database, EventKind.STUDY, "1")
    assert (2, NOW) == await database.read(lambda tx: tx.deliveries.backlog())
    for each in await due(database):
        await database.write(lambda tx, key=each.id: tx.deliveries.delivered(key, NOW))  # type: ignore[misc]

    assert (0, None) == await database.read(lambda tx: tx.deliveries.backlog())


async def test_an_event_that_was_rolled_back_is_owed_to_nobody(database: Database) -> None:
    """The delivery stands or falls with what it tells."""

    def fail(tx: object) -> None:
        tx.events.append(EventKind.STUDY, NOW, {}, TARGETS, study_uid="1")  # type: ignore[attr-defined]
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await database.write(fail)

    assert [] == await due(database)
    assert 0 == await database.read(lambda tx: tx.events.last_id())
