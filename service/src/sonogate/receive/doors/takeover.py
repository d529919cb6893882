"""What a dead door kept and had not told, or not all of it: entered while the gate goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Final

from sonogate.observe.logs import get_logger
from sonogate.receive.doors.desk import Book
from sonogate.receive.spool import Spool
from sonogate.receive.spool.folder import seal_all
from sonogate.receive.spool.names import Left
from sonogate.receive.spool.segment import whole_records

RETRY_SECONDS: Final = 1.0
"""How soon a database or a disk that refused is asked again."""

log = get_logger()


class Takeover:
    """Enters what dead doors left, one door at a time.

    Args:
        spool: the gate's own, in the doors' folder.
        registrar: where rows are entered.
        live: asks for the spool names of all objects whose bytes are still wanted.
    """

    def __init__(
        self, spool: Spool, registrar: Book, live: Callable[[], Awaitable[AbstractSet[str]]]
    ) -> None:
        self._spool = spool
        self._registrar = registrar
        self._live = live
        self._turn = asyncio.Lock()
        self._n_left = 0

    @property
    def is_busy(self) -> bool:
        """Whether something that was left is not entered yet."""
        return self._n_left > 0

    async def look(self, owner: str) -> Left:
        """Return what a dead owner left; ask before its replacement writes."""
        self._n_left += 1
        while True:
            try:
                return await asyncio.to_thread(self._spool.left_by, owner)
            except OSError as error:
                log.error("door_not_taken_over", reason=error.strerror)
                await asyncio.sleep(RETRY_SECONDS)

    async def enter(self, left: Left) -> None:
        """Enter what the database does not know, seal, and remove files that no row speaks of.

        What the door announced is waited for first: what is on its way must not be entered twice.
        """
        async with self._turn:
            while True:
                try:
                    await self._enter(left)
                except Exception as error:  # noqa: BLE001 - boundary: nothing may be left behind
                    log.error("door_not_taken_over", exception_type=type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._n_left -= 1
                    return

    async def _enter(self, left: Left) -> None:
        await self._registrar.caught_up()
        n_objects = 0
        for path in left.segments:
            records = await asyncio.to_thread(whole_records, path)
            await self._registrar.recover([each.instance for each in records])
            n_objects += len(records)
        await asyncio.to_thread(seal_all, left.segments)
        live = await self._live()
        for name in left.files:
            if name not in live:
                await asyncio.to_thread(self._spool.give_up, name)
        log.info("door_taken_over", n_objects=n_objects)
