"""Enters what the spool keeps into the database, many objects at once.

The spool made row and bytes durable before Success was answered, so nothing waits here but the
verdict, and nothing is lost if the gate dies first: the next start enters what is missing.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.errors import SpoolFullError, SpoolWriteError
from sonogate.observe.logs import get_logger
from sonogate.store.database import Database
from sonogate.store.forward_records import Destinations, Lanes
from sonogate.store.transaction import Transaction

MAX_BATCH = 64
"""Objects entered in one transaction: a backlog does not hold up verdicts for long."""
GATHER_SECONDS = 0.02
"""In a burst, the pause between two transactions: many objects then cost one. The first object
after a pause never waits."""
RETRY_SECONDS = 1.0
"""How soon a database that refused is asked again."""
COUNT_FROM = 0.9
"""Share of the bound from which objects without a verdict are counted, before any is refused."""
CAUGHT_UP_SECONDS = 5.0
"""How long a question about studies waits for objects on their way into the database."""

log = get_logger()


@dataclass(slots=True, eq=False)
class _Entry:
    instance: ReceivedInstance
    future: asyncio.Future[Kept] | None = None


def _ignore(_instance: ReceivedInstance, _kept: Kept) -> None:
    return None


def _no_lanes(instances: Sequence[ReceivedInstance]) -> Lanes:
    return [None] * len(instances)


class Registrar:
    """A `domain.ports.Registrar` over the database; `run` does the work.

    Args:
        database: an open database.
        max_unjudged: objects without a verdict above which no more are accepted.
        destinations: whom each new object is owed to, from the moment it is entered.
        lanes: reads the study of each of some objects from their bytes; blocking.
    """

    def __init__(
        self,
        database: Database,
        max_unjudged: int,
        destinations: Destinations | None = None,
        lanes: Callable[[Sequence[ReceivedInstance]], Lanes] = _no_lanes,
    ) -> None:
        self.on_entered: Callable[[ReceivedInstance, Kept], None] = _ignore
        self._destinations = destinations or Destinations()
        self._lanes = lanes
        self._database = database
        self._max_unjudged = max_unjudged
        self._n_at_most = 0
        self._n_announced = 0
        self._n_done = 0
        self._waiting: list[_Entry] = []
        self._has_work = asyncio.Event()
        self._progress = asyncio.Condition()
        self._counting: asyncio.Task[None] | None = None

    def require_room(self) -> None:
        """Raise if too many objects wait for a verdict.

        Verdicts only lower the number, so it is counted again only when the bound comes near.

        Raises:
            SpoolFullError: send again when fewer wait.
        """
        n_at_most = self._n_at_most + len(self._waiting)
        if n_at_most < COUNT_FROM * self._max_unjudged:
            return
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self.count())
        if n_at_most >= self._max_unjudged:
            raise SpoolFullError(
                f"{n_at_most} objects wait for a verdict; send again when fewer do."
            )

    async def announce(self, instance: ReceivedInstance) -> None:
        """Enter an object soon; never waits."""
        self._add(_Entry(instance))

    async def enter(self, instance: ReceivedInstance) -> Kept:
        """Enter an object and return what became of it.

        Raises:
            SpoolWriteError: the database refused; it is tried again all the same.
        """
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._add(_Entry(instance, future))
        return await future

    async def caught_up(self) -> None:
        """Return once everything announced so far is in the database.

        Raises:
            SpoolWriteError: it is not within `CAUGHT_UP_SECONDS`.
        """
        n_announced = self._n_announced
        if self._n_done >= n_announced:
            return
        try:
            async with asyncio.timeout(CAUGHT_UP_SECONDS), self._progress:
                await self._progress.wait_for(lambda: self._n_done >= n_announced)
        except TimeoutError as error:
            raise SpoolWriteError(
                f"The database does not take {len(self._waiting)} objects that were kept; look at "
                "its disk, then ask again."
            ) from error

    async def recover(self, instances: Collection[ReceivedInstance]) -> None:
        """Enter what an earlier gate kept and the database may not know.

        Raises:
            SpoolWriteError: the database refused.
        """
        for start in range(0, len(instances), MAX_BATCH):
            batch = list(instances)[start : start + MAX_BATCH]
            known = await self._database.read(partial(_known, batch=batch))
            await self._enter([_Entry(each) for each in batch if each.object_id not in known])
        await self.count()

    async def count(self) -> None:
        """Count the objects without a verdict; what is entered meanwhile is added."""
        n_done = self._n_done
        n_unjudged = await self._database.read(lambda tx: tx.objects.n_unjudged())
        self._n_at_most = n_unjudged + self._n_done - n_done

    async def run(self) -> None:
        """Enter what is announced until cancelled; a refusing database is asked again."""
        while True:
            await self._has_work.wait()
            batch = self._waiting[:MAX_BATCH]
            try:
                await self._enter(batch)
            except SpoolWriteError as error:
                _tell(batch, error)
                log.error("database refused objects", n_objects=len(batch))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._done(batch)
            await asyncio.sleep(GATHER_SECONDS)

    async def _done(self, batch: Sequence[_Entry]) -> None:
        del self._waiting[: len(batch)]
        for entry in batch:
            instance = entry.instance
            self._database.unentered.remove(instance.provenance.calling_ae, instance.object_id)
        self._n_done += len(batch)
        if not self._waiting:
            self._has_work.clear()
        async with self._progress:
            self._progress.notify_all()

    def _add(self, entry: _Entry) -> None:
        instance = entry.instance
        self._database.unentered.add(instance.provenance.calling_ae, instance.object_id)
        self._waiting.append(entry)
        self._n_announced += 1
        self._has_work.set()

    async def _enter(self, batch: Sequence[_Entry]) -> None:
        """Enter a batch; where it holds a row that no database takes, all but that one.

        Raises:
            SpoolWriteError: the database refused.
        """
        try:
            await self._enter_together(batch)
        except SpoolWriteError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: one row must not hold up all others
            if len(batch) > 1:
                for entry in batch:
                    await self._enter([entry])
                return
            log.error(
                "object not entered",
                object_id=batch[0].instance.object_id,
                exception_type=type(error).__name__,
            )
            _tell(batch, SpoolWriteError("The database can't hold this object's row."))

    async def _enter_together(self, batch: Sequence[_Entry]) -> None:
        instances = [each.instance for each in batch]
        lanes = await self._lanes_of(instances)
        all_kept = await self._database.write(
            lambda tx: _keep(tx, instances, self._destinations, lanes)
        )
        for entry, kept in zip(batch, all_kept, strict=True):
            self._n_at_most += not kept.duplicate
            self.on_entered(entry.instance, kept)
            if entry.future is not None and not entry.future.done():
                entry.future.set_result(kept)

    async def _lanes_of(self, instances: Sequence[ReceivedInstance]) -> Lanes:
        if not self._destinations:
            return _no_lanes(instances)
        return await asyncio.to_thread(self._lanes, instances)


def _keep(
    tx: Transaction,
    instances: Sequence[ReceivedInstance],
    destinations: Destinations,
    lanes: Lanes,
) -> list[Kept]:
    """Enter objects, and in the same transaction what is owed because of them."""
    all_kept = tx.objects.keep_all(instances)
    if destinations:
        tx.forwards.enqueue_received(instances, all_kept, destinations, lanes)
    return all_kept


def _known(tx: Transaction, batch: Sequence[ReceivedInstance]) -> set[str]:
    return tx.objects.known([each.object_id for each in batch])


def _tell(batch: Sequence[_Entry], error: SpoolWriteError) -> None:
    """Let nobody wait for a database that refuses."""
    for entry in batch:
        if entry.future is not None and not entry.future.done():
            entry.future.set_exception(error)
