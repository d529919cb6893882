"""The feed of events: durable, in order, resumable after any id."""

import asyncio

from sonogate.store.database import Database
from sonogate.store.records import Event


class EventFeed:
    """Reads the journal and wakes those who wait for more.

    Args:
        database: wakes the feed by itself after every commit that holds an event.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest = 0
        self._grown: asyncio.Event = asyncio.Event()
        database.on_event(self._on_event)

    async def after(self, event_id: int, limit: int = 500) -> list[Event]:
        """Return the next events after an id, oldest first."""
        return await self._database.read(lambda tx: tx.events.after(event_id, limit))

    async def last_id(self) -> int:
        """Return the id of the latest event; 0 if there is none."""
        return await self._database.read(lambda tx: tx.events.last_id())

    async def pruned_to(self) -> int:
        """Return the newest id that is gone; nobody can resume after an earlier one."""
        return await self._database.read(lambda tx: tx.events.pruned_to())

    async def wait(self, event_id: int, timeout_seconds: float) -> None:
        """Return when there may be events after an id, or after the time-out."""
        if self._newest > event_id:
            return
        grown = self._grown
        try:
            async with asyncio.timeout(timeout_seconds):
                await grown.wait()
        except TimeoutError:
            return

    def notify(self) -> None:
        """Wake those who wait; called from the event loop."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _on_event(self, newest: int) -> None:
        self._newest = max(self._newest, newest)
        self.notify()
