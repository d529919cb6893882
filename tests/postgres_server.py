"""A throw-away PostgreSQL: a cluster in a temporary folder, reached by a Unix socket only."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

BINARIES = Path("/usr/lib/postgresql")
SERVICE_USER = "postgres"
REMEDY = "install it: apt-get install postgresql"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
FOR_TESTS = ("fsync=off", "listen_addresses=", "synchronous_commit=off", "timezone=Asia/Kolkata")
"""Nothing has to survive; the last two show where the store leans on a server's defaults."""


@dataclass(frozen=True)
class Postgres:
    """A running cluster."""

    socket_dir: Path

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database, as a site would write it in `store.url`."""
        return f"postgresql+psycopg://{SERVICE_USER}@/{database}?host={self.socket_dir}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement by itself; return its rows."""
        with psycopg.connect(
            host=str(self.socket_dir), user=SERVICE_USER, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cut(self, database: str) -> None:
        """End every connection to a database, as a restart of the server does."""
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        self.execute(f"{cut}'{database}'")


def missing() -> str | None:
    """Say what keeps a cluster from being run here, with the remedy; None if nothing does."""
    if binaries() is None:
        return f"PostgreSQL is not installed; {REMEDY}"
    if os.geteuid() == 0 and not _has_service_user():
        return f"initdb refuses root, and there is no user {SERVICE_USER}; {REMEDY}"
    return None


def binaries() -> Path | None:
    """Return the folder of the newest server's programs, or None."""
    versions = [path for path in BINARIES.glob("*/bin") if (path / "initdb").is_file()]
    return max(versions, key=lambda path: int(path.parent.name), default=None)


def _has_service_user() -> bool:
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return False
    return True


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Make a cluster, run it, and remove it; as its own user if we are root."""
    folder = Path(tempfile.mkdtemp(prefix="sonogate-pg-"))  # short: a socket's path is bounded
    programs = binaries()
    assert programs is not None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, SERVICE_USER, SERVICE_USER)
        cluster = folder / "cluster"
        initdb = [str(programs / "initdb"), "-D", str(cluster), "-U", SERVICE_USER]
        subprocess.run(
            [*_as_service(), *initdb, "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
        )
        with _serving(programs, cluster, folder):
            yield Postgres(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(programs: Path, cluster: Path, folder: Path) -> Iterator[None]:
    options = [word for setting in FOR_TESTS for word in ("-c", setting)]
    command = [str(programs / "postgres"), "-D", str(cluster), "-k", str(folder), *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_as_service(), *command], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            _wait_until_ready(process, folder)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


def _as_service() -> Sequence[str]:
    """Return the words before a command: another user for root; it dies with us either way."""
    user = ("--reuid", SERVICE_USER, "--regid", SERVICE_USER, "--init-groups")
    return ("setpriv", "--pdeathsig", "INT", *(user if os.geteuid() == 0 else ()))


def _wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            Postgres(folder).execute("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.05)  # not listening yet
        else:
            return
    pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text(errors='replace')}")
