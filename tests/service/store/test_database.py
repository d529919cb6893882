"""The writer: durable, grouped, and not to be taken down by one bad work."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import String, create_engine, event, inspect, make_url, select

from sonogate.domain.instance import ReceivedInstance
from sonogate.errors import SpoolWriteError
from sonogate.store.database import Database
from sonogate.store.dialects import database_file, make_writer_engine
from sonogate.store.migrate import migrate
from sonogate.store.tables import metadata, objects
from sonogate.store.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres_server import Postgres

MakeReceived = Callable[..., ReceivedInstance]

only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


class Latch:
    """Holds the writer inside one work until let go, so that other works queue up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def __call__(self, _tx: Transaction) -> None:
        """Wait in the writer's thread."""
        self.entered.set()
        assert self.released.wait(10)


async def held(database: Database) -> tuple[Latch, asyncio.Task[None]]:
    """Return a latch that the writer is held by, and the task that waits for it."""
    latch = Latch()
    task = asyncio.create_task(database.write(latch))
    await asyncio.to_thread(latch.entered.wait, 10)
    return latch, task


async def test_writes_that_wait_share_one_commit(
    database: Database, make_received: MakeReceived
) -> None:
    """200 objects kept while the disk is busy cost one commit, not 200."""
    latch, task = await held(database)
    before = database.n_commits
    received = [make_received() for _ in range(200)]
    writes = [asyncio.create_task(database.write(_keep(each))) for each in received]
    await asyncio.sleep(0)
    latch.released.set()
    await asyncio.gather(task, *writes)

    assert 2 == database.n_commits - before
    assert 200 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_a_failing_work_takes_nobody_along(
    database: Database, make_received: MakeReceived
) -> None:
    """What fails is rolled back and raised to its caller; the works beside it are kept."""
    first, doomed, last = make_received(), make_received(), make_received()

    def fail(tx: Transaction) -> None:
        tx.objects.keep(doomed)
        raise ValueError("on purpose")

    latch, task = await held(database)
    writes = [
        asyncio.create_task(database.write(work)) for work in (_keep(first), fail, _keep(last))
    ]
    await asyncio.sleep(0)
    latch.released.set()
    answers = await asyncio.gather(task, *writes, return_exceptions=True)

    assert isinstance(answers[2], ValueError)
    kept = await database.read(lambda tx: tx.spooled_bytes.spool_names())
    assert {first.spool_name, last.spool_name} == kept


async def test_what_was_answered_is_in_the_file(
    url: str, database: Database, make_received: MakeReceived
) -> None:
    """Another process sees an object as soon as its keeper was answered."""
    received = make_received()
    await database.write(_keep(received))
    other = create_engine(url)
    try:
        with other.connect() as connection:
            rows = connection.execute(select(objects.c.object_id)).scalars().all()
    finally:
        other.dispose()

    assert [received.object_id] == rows


async def test_nothing_is_answered_before_the_commit(
    database: Database, make_received: MakeReceived
) -> None:
    """The caller's future is resolved after COMMIT returned, never between insert and commit."""
    order: list[str] = []
    event.listen(database._write_engine, "commit", lambda _connection: order.append("commit"))
    task = asyncio.create_task(database.write(_keep(make_received())))
    task.add_done_callback(lambda _task: order.append("answered"))
    await task
    await asyncio.sleep(0)

    assert ["commit", "answered"] == order


async def test_a_refused_commit_reaches_every_caller_and_the_writer_recovers(
    database: Database, make_received: MakeReceived
) -> None:
    """A full disk fails all that shared the commit, keeps none of it, and is forgotten after."""
    error = sqlite3.OperationalError("database or disk is full")

    def refuse(_connection: object) -> None:
        raise error

    latch, task = await held(database)
    event.listen(database._write_engine, "commit", refuse)
    writes = [asyncio.create_task(database.write(_keep(make_received()))) for _ in range(5)]
    await asyncio.sleep(0)
    latch.released.set()
    answers = await asyncio.gather(task, *writes, return_exceptions=True)
    event.remove(database._write_engine, "commit", refuse)

    assert all(isinstance(answer, SpoolWriteError) for answer in answers)
    assert 0 == await database.read(lambda tx: tx.objects.n_unjudged())
    await database.write(_keep(make_received()))
    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())


@only_sqlite
async def test_a_real_full_disk_is_refused_and_survived(
    database: Database, make_received: MakeReceived
) -> None:
    """SQLite's own page limit stands for a full disk: the error is SQLite's, from inside a work."""

    def limit(pages: int) -> Callable[[Transaction], int]:
        return lambda tx: _execute(tx, f"PRAGMA max_page_count={pages}")

    n_pages = await database.read(lambda tx: _execute(tx, "PRAGMA page_count"))
    await database.write(limit(n_pages))
    writes = [database.write(_keep(make_received())) for _ in range(300)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert any(isinstance(answer, SpoolWriteError) for answer in answers)
    n_kept = sum(not isinstance(answer, BaseException) for answer in answers)
    assert n_kept == await database.read(lambda tx: tx.objects.n_unjudged())

    await database.write(limit(1_000_000))
    await database.write(_keep(make_received()))
    assert n_kept + 1 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_a_reader_can_not_write(database: Database, make_received: MakeReceived) -> None:
    """Writing is for the writer alone: the reading connections refuse."""
    with pytest.raises(Exception, match=r"readonly|read-only"):
        await database.read(_keep(make_received()))


@only_sqlite
async def test_the_disk_is_asked_for_full_durability(database: Database) -> None:
    """WAL, synchronous=FULL, foreign keys on: read back from the writer's own connection."""
    asked = ("journal_mode", "synchronous", "foreign_keys")
    found = await database.write(lambda tx: [_execute(tx, f"PRAGMA {name}") for name in asked])

    assert ["wal", 2, 1] == found


@only_postgresql
async def test_a_server_that_commits_lazily_is_asked_for_durability(database: Database) -> None:
    """What is answered survives a power cut of the server, whose default here is off."""
    found = await database.write(lambda tx: _execute(tx, "SHOW synchronous_commit"))
    default = await database.read(lambda tx: _execute(tx, "SHOW synchronous_commit"))

    assert ("on", "off") == (found, default)


@only_postgresql
async def test_a_restarted_server_is_met_again(
    url: str, database: Database, postgres: Postgres, make_received: MakeReceived
) -> None:
    """Every connection was cut while nothing ran: the next write and read find new ones."""
    await database.write(_keep(make_received()))
    assert 1 == await database.read(lambda tx: tx.objects.n_unjudged())
    postgres.cut(make_url(url).database or "")
    await database.write(_keep(make_received()))

    assert 2 == await database.read(lambda tx: tx.objects.n_unjudged())


async def test_two_gates_may_open_an_empty_database_at_once(url: str) -> None:
    """One of them makes the tables, the other waits for it."""
    gates = [Database(url) for _ in range(4)]
    await asyncio.gather(*(each.open() for each in gates))
    counts = [await each.read(lambda tx: tx.objects.n_unjudged()) for each in gates]
    for each in gates:
        await each.close()

    assert [0] * 4 == counts


def test_a_connection_that_is_refused_at_first_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite refuses some pragmas of a new file at once while another gate makes it."""
    refusals = iter([True, True, False])

    class Held(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if "journal_mode" in sql and next(refusals, False):
                raise sqlite3.OperationalError("database is locked")
            return super().execute(sql, *parameters)

    monkeypatch.setattr(sqlite3.dbapi2, "connect", partial(sqlite3.connect, factory=Held))
    engine = make_writer_engine(f"sqlite:///{tmp_path / 'new.db'}")
    with engine.begin() as connection:
        found = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    engine.dispose()

    assert "wal" == found
    assert next(refusals, None) is None


async def test_no_text_holds_nul(database: Database, make_received: MakeReceived) -> None:
    """PostgreSQL takes none: it is left out of what is kept and of what is asked for."""
    await database.write(_keep(make_received("1.2\0", calling_ae="CART\0")))
    found = await database.read(lambda tx: tx.objects.current("1.\0" + "2"))

    assert found is not None
    assert ("1.2", "CART") == (
        found.received.sop_instance_uid,
        found.received.provenance.calling_ae,
    )


async def test_a_closed_database_refuses(url: str, make_received: MakeReceived) -> None:
    """After close nothing is taken any more, and what was queued before is done."""
    database = Database(url)
    await database.open()
    queued = [asyncio.create_task(database.write(_keep(make_received()))) for _ in range(20)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*queued)

    with pytest.raises(SpoolWriteError):
        await database.write(_keep(make_received()))


async def test_the_migrations_make_exactly_the_tables(url: str, database: Database) -> None:
    """What Alembic built and what the code speaks of do not differ; SQLite knows no lengths."""
    engine = create_engine(url)
    compared = {"compare_type": _differ if url.startswith("sqlite") else True}
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=compared)
            found = compare_metadata(context, metadata)
    finally:
        engine.dispose()

    assert [] == found


def _differ(_context: object, _column: object, _other: object, *types: object) -> bool | None:
    """Say of two texts that they do not differ; let Alembic compare all else."""
    return False if all(isinstance(each, String) for each in types[:2]) else None


async def test_opening_again_keeps_everything(url: str, make_received: MakeReceived) -> None:
    """A restart runs no migration twice and finds what was kept."""
    for n_before in range(3):
        database = Database(url)
        await database.open()
        assert n_before == await database.read(lambda tx: tx.objects.n_unjudged())
        await database.write(_keep(make_received()))
        await database.close()


async def test_a_migration_killed_half_way_leaves_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a migration or nothing of it: else the next start meets a half-made schema."""

    def fail(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.drop_index", fail)
        patch.setattr("alembic.operations.base.Operations.create_index", fail)
        with pytest.raises(KeyboardInterrupt):
            await _open_in_this_thread(url)
    engine = create_engine(url)
    tables = inspect(engine).get_table_names()
    engine.dispose()

    assert [] == tables
    database = Database(url)
    await database.open()
    await database.close()


async def _open_in_this_thread(url: str) -> None:
    if path := database_file(url):
        path.parent.mkdir(parents=True)
    engine = make_writer_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _keep(received: ReceivedInstance) -> Callable[[Transaction], object]:
    return lambda tx: tx.objects.keep(received)


def _execute(tx: Transaction, sql: str) -> Any:
    row = tx._connection.exec_driver_sql(sql).first()
    return row[0] if row else 0
