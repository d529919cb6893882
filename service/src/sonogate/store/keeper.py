"""Keeps the row of a spooled object; the listener answers Success only after it."""

from collections.abc import Callable

from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.errors import SpoolFullError
from sonogate.store.database import Database
from sonogate.store.transaction import Transaction


def _nobody() -> None:
    return None


class StoreKeeper:
    """A `domain.ports.Keeper` over the database.

    Args:
        database: an open database.
        max_unjudged: objects without a verdict above which nothing more is kept.
        on_kept: called in the event loop after each new object; wakes the pipeline.
    """

    def __init__(
        self, database: Database, max_unjudged: int, on_kept: Callable[[], None] = _nobody
    ) -> None:
        self.on_kept = on_kept
        self._database = database
        self._max_unjudged = max_unjudged
        self._n_at_most: int | None = None  # touched in the writer's thread only

    async def keep(self, instance: ReceivedInstance) -> Kept:
        """Return once the row is committed and synced.

        Raises:
            SpoolFullError: too many objects wait for a verdict.
            SpoolWriteError: the database refused the row.
        """
        kept = await self._database.write(lambda tx: self._keep(tx, instance), urgent=True)
        if not kept.duplicate:
            self.on_kept()
        return kept

    def _keep(self, tx: Transaction, instance: ReceivedInstance) -> Kept:
        self._refuse_if_full(tx)
        kept = tx.objects.keep(instance)
        if not kept.duplicate and self._n_at_most is not None:
            self._n_at_most += 1
        return kept

    def _refuse_if_full(self, tx: Transaction) -> None:
        """Count only when the bound might be reached; verdicts only lower the number."""
        if self._n_at_most is None or self._n_at_most >= self._max_unjudged:
            self._n_at_most = tx.objects.n_unjudged()
        if self._n_at_most >= self._max_unjudged:
            raise SpoolFullError(
                f"{self._n_at_most} objects wait for a verdict; send again when fewer do."
            )
