"""The one writer: a thread that commits everything waiting at once.

While one commit waits for the disk, further works queue up; they share the next commit.
Each work has its own savepoint, so that one failing takes nobody along. No cart waits here: the
spool has answered it already.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)

from sonogate.errors import SpoolWriteError
from sonogate.store.transaction import Transaction
from sonogate.store.unentered import Unentered

MAX_BATCH = 512
"""Works in one commit."""

Work = Callable[[Transaction], Any]


@dataclass(slots=True, eq=False)
class Request:
    """One work and, once committed or failed, what it answered."""

    work: Work
    future: Any  #: the caller's, resolved by `Database` in its event loop
    result: Any = None
    error: Exception | None = None


Answered = Callable[[list[Request], int | None], None]


def is_refused_by_disk(error: Exception) -> bool:
    """Whether the database itself failed, and with it the whole transaction."""
    if isinstance(error, (OperationalError, InternalError, InterfaceError)):
        return True
    return type(error) in {DatabaseError, DBAPIError}


class GroupWriter(threading.Thread):
    """Runs works one after another in one transaction and commits them together."""

    def __init__(self, engine: Engine, answered: Answered, unentered: Unentered) -> None:
        super().__init__(name="sonogate-writer", daemon=True)
        self._engine = engine
        self._answered = answered
        self._unentered = unentered
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._stopping = False
        self.n_commits = 0

    def submit(self, request: Request) -> None:
        """Queue one work."""
        self._queue.put(request)

    def stop(self) -> None:
        """End after what is queued; then `join`."""
        self._queue.put(None)

    def run(self) -> None:
        """Commit batch after batch until stopped."""
        while batch := self._next_batch():
            last_event_id = self._commit(batch)
            self._answered(batch, last_event_id)

    def _next_batch(self) -> list[Request]:
        batch: list[Request] = []
        while not self._stopping and len(batch) < MAX_BATCH:
            try:
                request = self._queue.get(block=not batch)
            except Empty:
                break
            if request is None:
                self._stopping = True
            elif not request.future.cancelled():
                batch.append(request)
        return batch

    def _commit(self, batch: list[Request]) -> int | None:
        """Run and commit a batch; return the last event id written, if any."""
        try:
            with self._engine.connect() as connection:
                last_event_id = _commit_over(connection, batch, self._unentered)
        except Exception as error:  # noqa: BLE001 - boundary: the writer outlives every failure
            _refuse(batch, error)
            return None
        self.n_commits += 1
        return last_event_id


def _commit_over(connection: Connection, batch: list[Request], unentered: Unentered) -> int | None:
    """Run and commit a batch; a connection that failed is not used again."""
    try:
        with connection.begin() as whole:
            transaction = Transaction(connection, unentered)
            if len(batch) == 1:
                _perform_alone(batch[0], whole, transaction)
            else:
                for request in batch:
                    _perform(request, connection, transaction)
    except Exception:
        connection.invalidate()
        raise
    return transaction.events.last_appended


def _refuse(batch: list[Request], error: Exception) -> None:
    """Nothing of the batch is durable: tell every caller."""
    for request in batch:
        if request.error is None:
            request.error = SpoolWriteError(
                f"The database refused the write: {_cause(error)}; look at its disk or its server."
            )
            request.error.__cause__ = error


def _perform_alone(request: Request, whole: RootTransaction, transaction: Transaction) -> None:
    """Run the only work of a commit; no savepoint is needed where nobody else is taken along."""
    try:
        request.result = request.work(transaction)
    except Exception as error:  # handed to the caller below
        if is_refused_by_disk(error):
            raise
        request.error = error
        whole.rollback()


def _perform(request: Request, connection: Connection, transaction: Transaction) -> None:
    """Run one work inside its savepoint; its own mistakes belong to its caller alone."""
    try:
        with connection.begin_nested():
            request.result = request.work(transaction)
    except Exception as error:  # handed to the caller below
        if is_refused_by_disk(error):
            raise
        request.error = error


def _cause(error: Exception) -> str:
    """Name the driver's words, without the statement and its parameters."""
    return str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
