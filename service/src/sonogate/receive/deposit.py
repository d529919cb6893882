"""One object on its way from the network to the spool, never more than a few blocks in memory."""

import asyncio
from collections.abc import Callable

from sonogate.errors import MalformedObjectError, ObjectTooLargeError, ReceiveError, SpoolWriteError
from sonogate.receive.spool import BLOCK_BYTES, MAX_WAITING_BLOCKS, Spool
from sonogate.receive.spool_file import SpooledObject

_Job = asyncio.Future[None]


class Deposit:
    """Takes an object piece by piece on the event loop; a thread writes whole blocks behind it.

    The first failure is remembered, the rest of the object is dropped, and `finish` raises it: a
    sender can only be answered after its last byte.
    """

    def __init__(self, spool: Spool, head: bytes, on_drained: Callable[[], None]) -> None:
        self._spool = spool
        self._file = spool.new_file(head)
        self._on_drained = on_drained
        self._block = bytearray()
        self._waiting: list[bytearray] = []
        self._job: _Job | None = None
        self._is_on_disk = False
        self._size_bytes = 0
        self._error: ReceiveError | None = None

    @property
    def is_behind(self) -> bool:
        """Whether the sender should be held up until `on_drained` is called."""
        return len(self._waiting) >= MAX_WAITING_BLOCKS

    def add(self, fragment: memoryview) -> None:
        """Take a piece; it is copied."""
        if self._error is not None:
            return
        self._size_bytes += len(fragment)
        if self._size_bytes > self._spool.max_object_bytes:
            self._fail(ObjectTooLargeError())
            return
        self._block += fragment
        if len(self._block) > BLOCK_BYTES:
            self._hand_over()

    async def finish(self) -> SpooledObject:
        """Return once the object is durable.

        Raises:
            ReceiveError: It could not be kept; nothing of it is left.
        """
        while self._job is not None:
            await asyncio.wait((self._job,))
        if self._error is None and self._size_bytes == 0:
            self._error = MalformedObjectError("The data set is empty.")
        if self._error is not None:
            raise self._error
        return await self._spool.run(self._file.finish, (self._block,))

    def abandon(self) -> None:
        """Drop the object; its partial file goes as soon as the write under way ends."""
        self._fail(MalformedObjectError("The object was cut off."))

    def _hand_over(self) -> None:
        try:
            self._spool.require_room()
        except ReceiveError as error:
            self._fail(error)
            return
        self._waiting.append(self._block)
        self._block = bytearray()
        if self._job is None:
            self._write()

    def _write(self) -> None:
        blocks, self._waiting = self._waiting, []
        self._is_on_disk = True
        self._job = self._spool.run(self._file.write, blocks)
        self._job.add_done_callback(self._written)

    def _written(self, job: _Job) -> None:
        self._job = None
        error = job.exception()
        if error is not None:
            self._fail(error if isinstance(error, ReceiveError) else SpoolWriteError())
        elif self._error is not None:
            self._discard()
        elif self._waiting:
            self._write()
        self._on_drained()

    def _fail(self, error: ReceiveError) -> None:
        self._error = self._error or error
        self._block = bytearray()
        self._waiting.clear()
        if self._job is None:
            self._discard()

    def _discard(self) -> None:
        if self._is_on_disk:
            self._is_on_disk = False
            self._spool.run(self._file.discard)
