"""Kept once, claimed by one, given back by a crash."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sonogate.domain.instance import MediaType, ReceivedInstance
from sonogate.errors import SpoolFullError, SpoolWriteError
from sonogate.store import registrar as registrar_module
from sonogate.store.database import Database
from sonogate.store.registrar import Registrar
from sonogate.store.transaction import Transaction

MakeReceived = Callable[..., ReceivedInstance]
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LEASE = 60.0


@pytest.fixture
async def registrar(database: Database) -> AsyncIterator[Registrar]:
    """A registrar at work, with room for a hundred."""
    registrar = Registrar(database, max_unjudged=100)
    work = asyncio.create_task(registrar.run())
    yield registrar
    work.cancel()


async def claim(database: Database, owner: str, now: datetime, limit: int = 10) -> list[str]:
    """Claim and return object ids."""
    claimed = await database.write(lambda tx: tx.objects.claim(owner, now, LEASE, limit))
    return [each.received.object_id for each in claimed]


async def test_the_same_object_is_kept_once(
    registrar: Registrar, database: Database, make_received: MakeReceived
) -> None:
    """A cart that repeats a store gets the earlier object; even when both come at once."""
    first = make_received("1.2", content="a")
    again = [make_received("1.2", content="a") for _ in range(5)]
    kept = await asyncio.gather(*(registrar.enter(each) for each in [first, *again]))

    assert {first.object_id} == {each.object_id for each in kept}
    assert [False] + [True] * 5 == [each.duplicate for each in kept]
    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_other_bytes_under_the_same_uid_are_a_conflict(
    registrar: Registrar, database: Database, make_received: MakeReceived
) -> None:
    """Both stay; the latest is current; a repeat of the old one brings it not back."""
    old, new = make_received("1.2", content="a"), make_received("1.2", content="b")
    kept = [await registrar.enter(each) for each in (old, new, make_received("1.2", content="a"))]
    versions = await database.read(lambda tx: tx.objects.versions("1.2"))

    assert [(False, False), (False, True), (True, False)] == [
        (each.duplicate, each.conflict) for each in kept
    ]
    assert [(True, False), (True, True)] == [(v.is_conflict, v.is_current) for v in versions]


async def test_pictures_are_told_apart_by_content_only(
    registrar: Registrar, make_received: MakeReceived
) -> None:
    """A PNG has no UID: the same bytes are a duplicate, other bytes are no conflict."""
    first, other = make_received(None, content="a"), make_received(None, content="b")
    repeat = dataclasses.replace(
        make_received(None, content="a", media_type=MediaType.PNG), sop_instance_uid=None
    )
    kept = [await registrar.enter(each) for each in (first, other, repeat)]

    assert [(False, False), (False, False), (True, False)] == [
        (each.duplicate, each.conflict) for each in kept
    ]


async def test_what_was_kept_is_read_back_whole(
    registrar: Registrar, database: Database, make_received: MakeReceived
) -> None:
    """Every field survives, times as aware UTC."""
    received = make_received()
    await registrar.enter(received)
    (claimed,) = await database.write(lambda tx: tx.objects.claim("gate", NOW, LEASE, 1))

    assert (received, 1, NOW) == (claimed.received, claimed.attempts, claimed.claimed_at)


async def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without a zone is a mistake in our own code; it never reaches the file."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(Exception, match="time zone"):
        await database.write(lambda tx: tx.objects.claim("gate", naive, LEASE, 1))


async def test_a_full_backlog_refuses_and_recovers(
    database: Database, registrar: Registrar, make_received: MakeReceived
) -> None:
    """Bounded: no more is accepted than may wait; a verdict makes room again."""
    registrar._max_unjudged = 3
    for _ in range(3):
        registrar.require_room()
        await registrar.enter(make_received())
    with pytest.raises(SpoolFullError, match="3 objects wait"):
        registrar.require_room()

    (judged,) = await claim(database, "gate", NOW, limit=1)
    header = (await database.read(lambda tx: tx.objects.get(judged))).header  # type: ignore[union-attr]
    await database.write(
        lambda tx: tx.objects.mark_judged(
            judged, header, number=None, study_uid=None, has_calipers=False
        )
    )
    await registrar.count()
    registrar.require_room()


async def test_a_backlog_is_counted_again_when_it_seems_full(
    database: Database, registrar: Registrar
) -> None:
    """A sender refused on an old count is not refused for ever."""
    registrar._n_at_most = 100
    with pytest.raises(SpoolFullError):
        registrar.require_room()
    await asyncio.sleep(0.1)

    registrar.require_room()


async def test_everything_announced_is_entered_and_told(
    database: Database, registrar: Registrar, make_received: MakeReceived
) -> None:
    """The hook is called once for each object, in order, after it is in the database."""
    told: list[tuple[str, bool]] = []
    registrar.on_entered = lambda each, kept: told.append((each.object_id, kept.duplicate))
    announced = [make_received() for _ in range(200)]
    for each in [*announced, announced[0]]:
        await registrar.announce(each)
    await registrar.caught_up()

    assert [(each.object_id, False) for each in announced] == told[:-1]
    assert 200 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_a_database_that_refuses_is_asked_again(
    database: Database,
    registrar: Registrar,
    make_received: MakeReceived,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits is told; the object is entered all the same once the database takes it."""
    real_write = database.write
    answers = [SpoolWriteError("disk full"), None]

    async def write(work: Callable[[Transaction], Any]) -> Any:
        if error := answers.pop(0):
            raise error
        return await real_write(work)

    monkeypatch.setattr(database, "write", write)
    monkeypatch.setattr(registrar_module, "RETRY_SECONDS", 0.01)
    with pytest.raises(SpoolWriteError, match="disk full"):
        await registrar.enter(make_received())
    await registrar.caught_up()

    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_an_answer_that_was_lost_makes_no_duplicate(
    database: Database, registrar: Registrar, make_received: MakeReceived
) -> None:
    """An object entered again, after a commit nobody heard of, is still the one that counts."""
    received = make_received("1.2", content="a")
    kept = [await registrar.enter(received), await registrar.enter(received)]

    assert [(received.object_id, False)] * 2 == [(k.object_id, k.duplicate) for k in kept]
    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_a_row_no_database_takes_holds_up_no_other(
    database: Database,
    registrar: Registrar,
    make_received: MakeReceived,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is set aside and told; what came with it is entered."""
    real_write, bad = database.write, make_received("9.9")

    async def write(work: Callable[[Transaction], Any]) -> Any:
        def checked(tx: Transaction) -> Any:
            answer = work(tx)
            if tx.objects.by_content("9.9", bad.content_sha256):
                raise ValueError("no column holds this")
            return answer

        return await real_write(checked)

    monkeypatch.setattr(database, "write", write)
    good = [make_received() for _ in range(3)]
    await registrar.announce(good[0])
    refused = asyncio.create_task(registrar.enter(bad))
    await asyncio.sleep(0)
    await registrar.announce(good[1])
    await registrar.announce(good[2])
    with pytest.raises(SpoolWriteError, match="can't hold"):
        await refused
    await registrar.caught_up()

    assert 3 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_what_is_not_entered_yet_is_known_by_its_sender(
    database: Database, registrar: Registrar, make_received: MakeReceived
) -> None:
    """From the acknowledgement until the commit, or until it proves to be a repeat."""
    received = make_received(calling_ae="CART2")
    for _ in range(2):
        await registrar.announce(received)
        assert {received.object_id} == database.unentered.of(["CART1", "CART2"])
        assert set() == database.unentered.of(["CART1"])
        await registrar.caught_up()
        assert not database.unentered


async def test_questions_do_not_wait_for_ever(
    registrar: Registrar, make_received: MakeReceived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database refuses, nobody is told that a study is ready."""
    monkeypatch.setattr(registrar_module, "CAUGHT_UP_SECONDS", 0.05)
    idle = Registrar(registrar._database, 100)  # nobody runs it
    await idle.announce(make_received())

    with pytest.raises(SpoolWriteError, match="does not take 1 objects"):
        await idle.caught_up()


async def test_recovery_enters_only_what_is_missing(
    database: Database, registrar: Registrar, make_received: MakeReceived
) -> None:
    """Rows that the database has are left as they are, judged and renamed ones too."""
    known, missing = make_received(None, content="a"), make_received("1.2", content="b")
    await registrar.enter(known)
    await database.write(lambda tx: tx.objects.adopt_uid(known.object_id, "1.2.3"))
    await registrar.recover([known, missing])
    await registrar.recover([known, missing])

    assert 2 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_a_claim_is_for_one_owner_until_its_lease_ends(
    registrar: Registrar, database: Database, make_received: MakeReceived
) -> None:
    """Oldest first; a second owner gets what is left, and what was not finished in time."""
    ids = [(await registrar.enter(make_received())).object_id for _ in range(3)]

    assert ids[:2] == await claim(database, "gate-1", NOW, limit=2)
    assert ids[2:] == await claim(database, "gate-2", NOW)
    assert [] == await claim(database, "gate-2", NOW + timedelta(seconds=LEASE))
    late = NOW + timedelta(seconds=LEASE + 1)
    again = await database.write(lambda tx: tx.objects.claim("gate-2", late, LEASE, 10))
    assert [2, 2, 2] == [each.attempts for each in again]


async def test_a_restart_gives_back_what_the_killed_gate_held(
    registrar: Registrar, database: Database, make_received: MakeReceived
) -> None:
    """Nothing waits for the lease of a process that is gone."""
    ids = [(await registrar.enter(make_received())).object_id for _ in range(3)]
    await claim(database, "killed", NOW)
    await claim(database, "new", NOW)

    assert 3 == await database.write(lambda tx: tx.objects.release_all_of_other_owners("new"))
    assert ids == await claim(database, "new", NOW)
    assert 0 == await database.write(lambda tx: tx.objects.release_all_of_other_owners("new"))
