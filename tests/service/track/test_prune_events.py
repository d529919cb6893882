"""Events go when they are old or too many, and told; never while young."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sonogate.housekeeping import Housekeeping
from sonogate.observe.metrics import Metrics
from sonogate.settings import Settings
from sonogate.store.records import EventKind
from sonogate.track import retention
from sonogate.track.tracker import DeliveryTargets

Clinic = Any  # the fixture of conftest.py
DAYS, RETENTION_DAYS = 30.0, 7.0
NOBODY = DeliveryTargets()


async def tell(clinic: Clinic, days_ago: float, targets: DeliveryTargets = NOBODY) -> int:
    """Append one event as of some days ago; return its id."""
    at = clinic.now - timedelta(days=days_ago)
    event_id: int = await clinic.database.write(
        lambda tx: tx.events.append(EventKind.STUDY, at, {}, targets, study_uid="1.2")
    )
    return event_id


async def prune(clinic: Clinic) -> list[int]:
    """Prune to the end; return the ids that are left."""
    now = clinic.now
    below_id = await clinic.database.read(lambda tx: retention.first_event_to_keep(tx, now, DAYS))
    while await clinic.database.write(
        lambda tx: retention.prune_events(tx, below_id, now, RETENTION_DAYS)
    ):
        pass
    return await left(clinic)


async def left(clinic: Clinic) -> list[int]:
    """Return the ids of the events that are there."""
    return [each.id for each in await clinic.database.read(lambda tx: tx.events.after(0, 9999))]


async def take(clinic: Clinic, at: datetime) -> None:
    """Deliver everything."""
    for each in await clinic.database.read(lambda tx: tx.deliveries.due(clinic.now, 99)):
        await clinic.database.write(lambda tx, key=each.id: tx.deliveries.delivered(key, at))


async def test_old_events_go_and_the_place_is_remembered(clinic: Clinic) -> None:
    """What is older than the days goes; who saw the last of them may resume."""
    old = [await tell(clinic, days) for days in (40, 35, 31)]
    young = [await tell(clinic, days) for days in (29, 0)]

    assert young == await prune(clinic)
    assert old[-1] == await clinic.database.read(lambda tx: tx.events.pruned_to())


async def test_the_newest_event_stays(clinic: Clinic) -> None:
    """After a long silence the newest id is still known: a page that saw it resumes."""
    newest = [await tell(clinic, days) for days in (90, 80)][-1]

    assert [newest] == await prune(clinic)
    assert newest == await clinic.database.read(lambda tx: tx.events.last_id())
    assert newest < await tell(clinic, 0)


async def test_too_many_go_before_their_days_but_never_young_ones(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the bound the oldest go, down to those of the last day."""
    monkeypatch.setattr(retention, "MAX_EVENTS", 3)
    ids = [await tell(clinic, days) for days in (9, 8, 7, 6, 5)]
    assert ids[2:] == await prune(clinic)

    today = [await tell(clinic, 0.5) for _ in range(5)]
    assert today == await prune(clinic)


async def test_what_a_receiver_is_owed_stays(clinic: Clinic) -> None:
    """However old; and after it was taken, as long as the bytes wait for it."""
    owed = await tell(clinic, 60, clinic.targets)
    others = [await tell(clinic, days) for days in (50, 0)]
    assert [owed, others[-1]] == await prune(clinic)
    assert others[0] == await clinic.database.read(lambda tx: tx.events.pruned_to())

    await take(clinic, clinic.now - timedelta(days=RETENTION_DAYS - 1))
    assert [owed, others[-1]] == await prune(clinic)
    clinic.now += timedelta(days=1.1)
    assert [others[-1]] == await prune(clinic)
    assert others[0] == await clinic.database.read(lambda tx: tx.events.pruned_to())


async def test_housekeeping_prunes_a_few_in_each_commit(clinic: Clinic) -> None:
    """A long backlog of old events is removed without one long commit."""
    clinic.now = datetime.now(UTC)
    await asyncio.gather(*(tell(clinic, 90) for _ in range(450)))
    newest = await tell(clinic, 0)
    before = clinic.database.n_commits
    await housekeeping(clinic).prune_events()

    assert [newest] == await left(clinic)
    assert 4 <= clinic.database.n_commits - before


def housekeeping(clinic: Clinic) -> Housekeeping:
    """Return the slow loops over this database."""
    return Housekeeping(
        settings=Settings(),
        database=clinic.database,
        spool=Any,  # type: ignore[arg-type]
        studies=clinic.studies,
        targets=NOBODY,
        metrics=Metrics(),
        on_change=lambda: None,
        look_at_certificates=lambda: asyncio.sleep(0),
    )
