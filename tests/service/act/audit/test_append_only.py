"""The database itself keeps the trail: nothing is changed, and nothing goes before its time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DatabaseError

from sonogate.store.database import Database, Transaction
from sonogate.store.records import AuditEntry

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)
TAMPERING = (
    "UPDATE audit SET by = 'nobody'",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE id = 2",
)


def entry(at: datetime, action: str = "close") -> AuditEntry:
    """Make an entry."""
    return AuditEntry(at=at, by="dr", action=action, study_uid="1.2", object_id=None, body={})


async def filled(url: str, *times: datetime) -> Database:
    """Open a database with an entry of each time."""
    database = Database(url)
    await database.open()

    def fill(tx: Transaction) -> None:
        for at in times:
            tx.audit.append(entry(at))

    await database.write(fill)
    return database


def attempt(connection: Connection, statement: str) -> None:
    """Say what someone with the database's password might."""
    connection.execute(text(statement.replace("by =", '"by" =')))


async def test_nothing_is_changed_or_removed(url: str) -> None:
    """UPDATE, DELETE, REPLACE and TRUNCATE are refused, on each database."""
    database = await filled(url, NOW, NOW)
    before = await database.read(lambda tx: tx.audit.all())
    is_sqlite = url.startswith("sqlite")
    replace = "INSERT OR REPLACE INTO audit SELECT * FROM audit"
    engine = create_engine(url)
    for statement in (*TAMPERING, replace if is_sqlite else "TRUNCATE audit"):
        with pytest.raises(DatabaseError, match="audit entries"), engine.begin() as connection:
            attempt(connection, statement)
    engine.dispose()

    assert before == await database.read(lambda tx: tx.audit.all())
    assert 2 == len(before)
    await database.close()


async def test_only_what_is_over_a_year_old_goes(url: str) -> None:
    """`prune` takes what is old; asked for more, the database refuses and keeps all."""
    database = await filled(url, NOW - timedelta(days=400), NOW - timedelta(days=300), NOW)

    assert 1 == await database.write(lambda tx: tx.audit.prune(NOW - timedelta(days=366), 10))
    with pytest.raises(Exception, match="audit entries"):
        await database.write(lambda tx: tx.audit.prune(NOW - timedelta(days=200), 10))
    assert 2 == len(await database.read(lambda tx: tx.audit.all()))
    await database.close()
