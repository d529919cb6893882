"""Kept once, claimed by one, given back by a crash."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sonogate.domain.instance import MediaType, ReceivedInstance
from sonogate.errors import SpoolFullError
from sonogate.store.database import Database
from sonogate.store.keeper import StoreKeeper

MakeReceived = Callable[..., ReceivedInstance]
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LEASE = 60.0


@pytest.fixture
def keeper(database: Database) -> StoreKeeper:
    """A keeper with room for a hundred."""
    return StoreKeeper(database, max_unjudged=100)


async def claim(database: Database, owner: str, now: datetime, limit: int = 10) -> list[str]:
    """Claim and return object ids."""
    claimed = await database.write(lambda tx: tx.objects.claim(owner, now, LEASE, limit))
    return [each.received.object_id for each in claimed]


async def test_the_same_object_is_kept_once(
    keeper: StoreKeeper, database: Database, make_received: MakeReceived
) -> None:
    """A cart that repeats a store gets the earlier object; even when both come at once."""
    first = make_received("1.2", content="a")
    again = [make_received("1.2", content="a") for _ in range(5)]
    kept = await asyncio.gather(*(keeper.keep(each) for each in [first, *again]))

    assert {first.object_id} == {each.object_id for each in kept}
    assert [False] + [True] * 5 == [each.duplicate for each in kept]
    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_other_bytes_under_the_same_uid_are_a_conflict(
    keeper: StoreKeeper, database: Database, make_received: MakeReceived
) -> None:
    """Both stay; the latest is current; a repeat of the old one brings it not back."""
    old, new = make_received("1.2", content="a"), make_received("1.2", content="b")
    kept = [await keeper.keep(each) for each in (old, new, make_received("1.2", content="a"))]
    versions = await database.read(lambda tx: tx.objects.versions("1.2"))

    assert [(False, False), (False, True), (True, False)] == [
        (each.duplicate, each.conflict) for each in kept
    ]
    assert [(True, False), (True, True)] == [(v.is_conflict, v.is_current) for v in versions]


async def test_pictures_are_told_apart_by_content_only(
    keeper: StoreKeeper, make_received: MakeReceived
) -> None:
    """A PNG has no UID: the same bytes are a duplicate, other bytes are no conflict."""
    first, other = make_received(None, content="a"), make_received(None, content="b")
    repeat = dataclasses.replace(
        make_received(None, content="a", media_type=MediaType.PNG), sop_instance_uid=None
    )
    kept = [await keeper.keep(each) for each in (first, other, repeat)]

    assert [(False, False), (False, False), (True, False)] == [
        (each.duplicate, each.conflict) for each in kept
    ]


async def test_what_was_kept_is_read_back_whole(
    keeper: StoreKeeper, database: Database, make_received: MakeReceived
) -> None:
    """Every field survives, times as aware UTC."""
    received = make_received()
    await keeper.keep(received)
    (claimed,) = await database.write(lambda tx: tx.objects.claim("gate", NOW, LEASE, 1))

    assert (received, 1, NOW) == (claimed.received, claimed.attempts, claimed.claimed_at)


async def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without a zone is a mistake in our own code; it never reaches the file."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(Exception, match="time zone"):
        await database.write(lambda tx: tx.objects.claim("gate", naive, LEASE, 1))


async def test_a_full_queue_refuses_and_recovers(
    database: Database, make_received: MakeReceived
) -> None:
    """Bounded: no more is kept than may wait; a verdict makes room again."""
    keeper = StoreKeeper(database, max_unjudged=3)
    kept = await asyncio.gather(
        *(keeper.keep(make_received()) for _ in range(5)), return_exceptions=True
    )
    refused = [each for each in kept if isinstance(each, SpoolFullError)]
    assert 2 == len(refused)

    (judged,) = await claim(database, "gate", NOW, limit=1)
    header = (await database.read(lambda tx: tx.objects.get(judged))).header  # type: ignore[union-attr]
    await database.write(
        lambda tx: tx.objects.mark_judged(
            judged, header, number=None, study_uid=None, has_calipers=False
        )
    )
    await keeper.keep(make_received())
    with pytest.raises(SpoolFullError):
        await keeper.keep(make_received())


async def test_keeping_wakes_the_pipeline_but_a_duplicate_does_not(
    database: Database, make_received: MakeReceived
) -> None:
    """The hook is called once for each new object, after it is durable."""
    calls: list[str] = []
    keeper = StoreKeeper(database, 100, on_kept=lambda: calls.append("kept"))
    await keeper.keep(make_received("1.2", content="a"))
    await keeper.keep(make_received("1.2", content="a"))

    assert ["kept"] == calls


async def test_a_claim_is_for_one_owner_until_its_lease_ends(
    keeper: StoreKeeper, database: Database, make_received: MakeReceived
) -> None:
    """Oldest first; a second owner gets what is left, and what was not finished in time."""
    ids = [(await keeper.keep(make_received())).object_id for _ in range(3)]

    assert ids[:2] == await claim(database, "gate-1", NOW, limit=2)
    assert ids[2:] == await claim(database, "gate-2", NOW)
    assert [] == await claim(database, "gate-2", NOW + timedelta(seconds=LEASE))
    late = NOW + timedelta(seconds=LEASE + 1)
    again = await database.write(lambda tx: tx.objects.claim("gate-2", late, LEASE, 10))
    assert [2, 2, 2] == [each.attempts for each in again]


async def test_a_restart_gives_back_what_the_killed_gate_held(
    keeper: StoreKeeper, database: Database, make_received: MakeReceived
) -> None:
    """Nothing waits for the lease of a process that is gone."""
    ids = [(await keeper.keep(make_received())).object_id for _ in range(3)]
    await claim(database, "killed", NOW)
    await claim(database, "new", NOW)

    assert 3 == await database.write(lambda tx: tx.objects.release_all_of_other_owners("new"))
    assert ids == await claim(database, "new", NOW)
    assert 0 == await database.write(lambda tx: tx.objects.release_all_of_other_owners("new"))
