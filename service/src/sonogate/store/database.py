"""The database as the gate sees it: durable group writes, snapshot reads.

database = Database("sqlite:////var/lib/sonogate/sonogate.db")
await database.open()
await database.write(lambda tx: tx.objects.release_all_of_other_owners("gate-2"))
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from sonogate.errors import SpoolWriteError
from sonogate.store.dialects import database_file, make_reader_engine, make_writer_engine
from sonogate.store.migrate import migrate
from sonogate.store.transaction import Transaction
from sonogate.store.unentered import Unentered
from sonogate.store.writer import GroupWriter, Request

__all__ = ["Database", "Transaction"]

N_READERS = 4

T = TypeVar("T")


class Database:
    """One writer thread, a few readers; opened and used in one event loop.

    Args:
        url: an SQLAlchemy URL, `sqlite:///folder/file.db` or `postgresql+psycopg://...`.
    """

    def __init__(self, url: str) -> None:
        self.unentered = Unentered()
        self._url = url
        self._on_event: list[Callable[[int], None]] = []
        self._writer: GroupWriter | None = None

    async def open(self) -> None:
        """Make the folder, bring the schema up to date, start the writer.

        Raises:
            SpoolWriteError: the database can't be opened; its disk is full, or its server away.
        """
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(N_READERS, thread_name_prefix="sonogate-reader")
        self._write_engine = await self._loop.run_in_executor(self._readers, self._prepare)
        self._read_engine = make_reader_engine(self._url, N_READERS)
        self._writer = GroupWriter(self._write_engine, self._answered, self.unentered)
        self._writer.start()

    async def close(self) -> None:
        """Finish what is queued, then let go of every connection."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.stop()
        await self._loop.run_in_executor(self._readers, writer.join)
        await asyncio.sleep(0)  # the last answers were handed to this loop by the writer
        self._readers.shutdown(wait=True)
        self._write_engine.dispose()
        self._read_engine.dispose()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer and return its answer once it is durable.

        Args:
            work: what to do; it may raise.

        Raises:
            SpoolWriteError: the database refused; nothing of the work is kept.
            Exception: whatever `work` raised; nothing of the work is kept.
        """
        if self._writer is None:
            raise SpoolWriteError("The database is closed; start the gate, then send again.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(Request(work, future))
        return await future

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on one snapshot, in a reader thread; it can't write."""
        return await self._loop.run_in_executor(self._readers, self._read, work)

    def on_event(self, listener: Callable[[int], None]) -> None:
        """Call `listener` in the event loop with the newest event id, after it is durable."""
        self._on_event.append(listener)

    @property
    def n_commits(self) -> int:
        """Commits since opening; fewer than writes when writes were many at once."""
        return self._writer.n_commits if self._writer else 0

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._read_engine.begin() as connection:
            return work(Transaction(connection, self.unentered))

    def _prepare(self) -> Engine:
        path = database_file(self._url)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = make_writer_engine(self._url)
        try:
            migrate(engine)
        except OperationalError as error:
            engine.dispose()
            raise SpoolWriteError(
                f"The database can't be opened: {error.orig}; look at its disk or its server."
            ) from error
        if path is not None:
            _sync_folder(path.parent)
        return engine

    def _answered(self, batch: list[Request], last_event_id: int | None) -> None:
        """Hand answers from the writer's thread to the event loop."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, batch, last_event_id)
        except RuntimeError:  # the loop is gone, and with it everyone who waits
            return

    def _resolve(self, batch: list[Request], last_event_id: int | None) -> None:
        for request in batch:
            if request.future.done():
                continue
            if request.error is not None:
                request.future.set_exception(request.error)
            else:
                request.future.set_result(request.result)
        if last_event_id is not None:
            for listener in self._on_event:
                listener(last_event_id)


def _sync_folder(folder: Path) -> None:
    """Make the names of the database's files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
