"""What differs between databases: connections, pragmas, who begins a transaction.

The only place that knows which database it is.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
BETWEEN_TRIES_SECONDS = 0.02

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the disk before it is answered
    "PRAGMA foreign_keys=ON",
)

_SCHEMA_LOCK = 0x50_4E_4F_47  # any number, as long as every gate takes the same
_COMMIT_DURABLY = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
"""A commit is on the disk before it is answered, whatever the server's default; a site that asks
for more, for its standby too, keeps it."""


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def make_writer_engine(url: str) -> Engine:
    """Return the engine of the one writing connection."""
    if make_url(url).get_backend_name() != "sqlite":
        engine = _make_server_engine(url, 1)
        event.listen(engine, "connect", _commit_durably)
        return engine
    engine = create_engine(url, pool_size=1, max_overflow=0)
    _configure_sqlite(engine, begin="BEGIN IMMEDIATE", pragmas=_SQLITE_PRAGMAS)
    return engine


def make_reader_engine(url: str, n_connections: int) -> Engine:
    """Return the engine of the reading connections: each transaction sees one snapshot."""
    if make_url(url).get_backend_name() != "sqlite":
        return _make_server_engine(
            url,
            n_connections,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    engine = create_engine(url, pool_size=n_connections, max_overflow=0)
    _configure_sqlite(engine, begin="BEGIN", pragmas=(*_SQLITE_PRAGMAS, "PRAGMA query_only=ON"))
    return engine


def hold_schema(connection: Connection) -> None:
    """Let nobody else change the schema until this transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite holds it since BEGIN IMMEDIATE
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))


def _make_server_engine(url: str, n_connections: int, **more: Any) -> Engine:
    """Return an engine that looks, before each use, whether the server was restarted meanwhile."""
    return create_engine(url, pool_size=n_connections, max_overflow=0, pool_pre_ping=True, **more)


def _commit_durably(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(_COMMIT_DURABLY)
    cursor.close()
    connection.commit()


def _insist(raw: Any, pragma: str) -> None:
    """Run a pragma, waiting for whoever holds a new file: SQLite itself waits not for each."""
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            raw.execute(pragma)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(BETWEEN_TRIES_SECONDS)
        else:
            return


def _configure_sqlite(engine: Engine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    """Begin transactions ourselves: Python's sqlite3 begins late, and never for DDL."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        raw: Any = connection
        raw.isolation_level = None
        for pragma in pragmas:
            _insist(raw, pragma)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
