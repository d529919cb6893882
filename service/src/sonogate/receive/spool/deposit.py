"""One object on its way from the network to the spool, never more than a few blocks in memory."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from sonogate.domain.instance import ReceivedInstance
from sonogate.errors import MalformedObjectError, ObjectTooLargeError, ReceiveError, SpoolWriteError
from sonogate.receive.spool.files import SpoolFile
from sonogate.receive.spool.folder import Spool
from sonogate.receive.spool.records import Arrival, Content
from sonogate.settings import KIB, MIB

GATHER_BYTES: Final = 4 * MIB
"""Objects up to here are gathered in RAM and go to a segment: any still does."""
MAX_GATHERED_BYTES: Final = 64 * MIB
"""What all objects together may gather; beyond it they stream to files."""
CHUNK_BYTES: Final = 64 * KIB
"""Pieces smaller than this are joined, so that a sender of tiny ones costs no more RAM."""
BLOCK_BYTES: Final = MIB
"""A larger object goes to its file in blocks of this size."""
MAX_WAITING_BLOCKS: Final = 3
"""Blocks of one object that may wait for the disk before its sender is held up."""

_Job = asyncio.Future[None]


class Gathering:
    """Pieces of an object as they came, in RAM; long ones are kept as they are, not moved."""

    def __init__(self) -> None:
        self.chunks: list[bytearray] = []
        self.size_bytes = 0

    def add(self, fragment: memoryview) -> None:
        """Take a piece; it is copied."""
        self.size_bytes += len(fragment)
        if self.chunks and len(self.chunks[-1]) < CHUNK_BYTES:
            self.chunks[-1] += fragment
        else:
            self.chunks.append(bytearray(fragment))


class Deposit:
    """Takes an object piece by piece on the event loop; a thread writes whole blocks behind it.

    The first failure is remembered, the rest of the object is dropped, and `finish` raises it: a
    sender can only be answered after its last byte.
    """

    def __init__(self, spool: Spool, meta: bytes, on_drained: Callable[[], None]) -> None:
        self._spool = spool
        self._meta = meta
        self._on_drained = on_drained
        self._block = Gathering()
        self._n_gathered = 0
        self._digest = hashlib.sha256()
        self._waiting: list[Gathering] = []
        self._file: SpoolFile | None = None
        self._job: _Job | None = None
        self._stall: asyncio.TimerHandle | None = None
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
        self._block.add(fragment)
        if self._file is None:
            self._digest.update(fragment)
            self._n_gathered += len(fragment)
            self._spool.gathered_bytes += len(fragment)
        if self._is_over():
            self._hand_over()

    async def finish(self, arrival: Arrival) -> ReceivedInstance:
        """Return the object's row once row and bytes are durable.

        Raises:
            ReceiveError: It could not be kept; nothing of it is left.
        """
        while self._job is not None and self._error is None:
            await asyncio.wait((self._job,))
        if self._error is None and self._size_bytes == 0:
            self._error = MalformedObjectError("The data set is empty.")
        if self._error is not None:
            raise self._error
        if self._file is not None:
            filed = await self._spool.run(self._file.finish, self._block.chunks)
            return await self._spool.keep_filed(arrival, filed)
        try:
            return await self._spool.keep(arrival, self._content())
        finally:
            self._let_go()

    def abandon(self) -> None:
        """Drop the object; its partial file goes as soon as the write under way ends."""
        self._fail(MalformedObjectError("The object was cut off."))

    def _is_over(self) -> bool:
        """Whether the block must leave RAM."""
        if self._file is not None:
            return self._block.size_bytes > BLOCK_BYTES
        return (
            self._block.size_bytes > GATHER_BYTES
            or self._spool.gathered_bytes > MAX_GATHERED_BYTES // self._spool.n_sharers
        )

    def _content(self) -> Content:
        return Content(
            meta=self._meta,
            chunks=self._block.chunks,
            sha256=self._digest.hexdigest(),
            size_bytes=len(self._meta) + self._block.size_bytes,
        )

    def _let_go(self) -> None:
        """What was gathered no longer counts."""
        self._spool.gathered_bytes -= self._n_gathered
        self._n_gathered = 0

    def _hand_over(self) -> None:
        try:
            self._spool.require_room()
        except ReceiveError as error:
            self._fail(error)
            return
        if self._file is None:
            self._let_go()
            self._file = self._spool.new_file(self._meta)
        self._waiting.append(self._block)
        self._block = Gathering()
        if self._job is None:
            self._write(self._file)

    def _write(self, file: SpoolFile) -> None:
        blocks = [chunk for block in self._waiting for chunk in block.chunks]
        self._waiting = []
        self._is_on_disk = True
        self._job = self._spool.run(file.write, blocks)
        self._job.add_done_callback(self._written)
        self._stall = asyncio.get_running_loop().call_later(
            self._spool.stall_seconds, self._give_up
        )

    def _give_up(self) -> None:
        """The disk stands still: take the rest from the sender without it, and refuse at the end.

        What was written goes as soon as the disk lets go of it.
        """
        self._fail(SpoolWriteError("The disk stands still; send again when it works."))
        self._on_drained()

    def _written(self, job: _Job) -> None:
        self._job = None
        if self._stall is not None:
            self._stall.cancel()
        error = job.exception()
        if error is not None:
            self._fail(error if isinstance(error, ReceiveError) else SpoolWriteError())
        elif self._error is not None:
            self._discard()
        elif self._waiting and self._file is not None:
            self._write(self._file)
        self._on_drained()

    def _fail(self, error: ReceiveError) -> None:
        self._error = self._error or error
        self._let_go()
        self._block = Gathering()
        self._waiting.clear()
        if self._job is None:
            self._discard()

    def _discard(self) -> None:
        if self._is_on_disk and self._file is not None:
            self._is_on_disk = False
            self._spool.run(self._file.discard)
