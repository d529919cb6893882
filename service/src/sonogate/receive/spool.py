"""The folder of kept objects: durable writes, bounded memory, free room.

A file's name is made here, never from anything a sender said. Small objects are gathered
in RAM and written in one thread job; larger ones stream to disk in blocks while they arrive. Who
sent an object and what became of it is the store's business.
"""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sonogate.errors import SpoolFullError
from sonogate.receive.slots import SlotStock
from sonogate.receive.spool_file import SpooledObject, SpoolFile, free_bytes_of, sync_folder
from sonogate.settings import MIB, ListenerSettings, SpoolSettings

BLOCK_BYTES: Final = MIB
"""Objects up to here are gathered in RAM; larger ones go to disk in blocks of this size."""
MAX_WAITING_BLOCKS: Final = 3
"""Blocks of one object that may wait for the disk before its sender is held up."""
SYNC_THREADS: Final = 8
"""Threads that write and sync; the disk merges concurrent syncs, so more of them finish sooner."""
FREE_ROOM_SECONDS: Final = 1.0
"""How long one look at the disk's free room is believed."""
N_FOLDERS: Final = 256

T = TypeVar("T")


class Spool:
    """Keeps objects under one folder; call `open` before the first."""

    def __init__(self, folder: Path, settings: SpoolSettings, listener: ListenerSettings) -> None:
        self.folder = folder
        self.max_object_bytes = listener.max_object_bytes
        self._min_free_bytes = settings.min_free_bytes
        self._threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="spool")
        self._slots = SlotStock(folder, self._threads, N_FOLDERS)
        self._background: set[asyncio.Future[Any]] = set()
        self._is_open = False
        self._free_bytes = 0
        self._looked_at = float("-inf")

    def open(self) -> None:
        """Make the folders and sync them; harmless where they exist, or if done before."""
        if self._is_open:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(N_FOLDERS):
            (self.folder / f"{number:02x}").mkdir(exist_ok=True)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)
        self._slots.fill()
        self._is_open = True

    async def close(self) -> None:
        """Wait for work under way and end the threads."""
        while self._background:
            await asyncio.wait(self._background)
        await asyncio.to_thread(self._slots.clear)
        self._threads.shutdown()

    def path_of(self, spool_name: str) -> Path:
        """Return where an object is.

        Raises:
            ValueError: The name is not one of ours.
        """
        path = self.folder / spool_name
        if path.parent.parent != self.folder or ".." in path.parts:
            raise ValueError(f"{spool_name!r} is not a name in the spool")
        return path

    def remove(self, spool_name: str) -> None:
        """Remove an object's file; nothing happens if it is gone already."""
        self.path_of(spool_name).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the free room of the spool's disk, at most a second old."""
        now = time.monotonic()
        if now - self._looked_at > FREE_ROOM_SECONDS:
            self._free_bytes = free_bytes_of(self.folder)
            self._looked_at = now
        return self._free_bytes

    def require_room(self) -> None:
        """Raise if the disk is too full to keep another byte.

        Raises:
            SpoolFullError: Less than `min_free_bytes` are free.
        """
        if self.free_bytes() < self._min_free_bytes:
            raise SpoolFullError

    def new_file(self, head: bytes) -> SpoolFile:
        """Name a file for one object; it is written off the event loop.

        Args:
            head: Bytes before the content proper (preamble and file meta); not part of its hash.
        """
        slot = self._slots.take()
        name = slot or self._slots.new_name()
        return SpoolFile(name, self.path_of(name), head, is_slot=slot is not None)

    async def keep_bytes(self, head: bytes, content: bytes | bytearray) -> SpooledObject:
        """Write and sync an object that is in memory.

        Raises:
            SpoolFullError: The disk is too full.
            SpoolWriteError: The disk refused the bytes.
        """
        self.require_room()
        return await self.run(self.new_file(head).finish, (content,))

    def run(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Run blocking work in the spool's threads; it is waited for when the spool closes."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        self._background.add(future)
        future.add_done_callback(self._background.discard)
        return future

    def orphans(self, known: AbstractSet[str]) -> list[str]:
        """Return the names of files that have no row; blocking, for boot only."""
        names = (
            f"{path.parent.name}/{path.name}" for path in self.folder.glob("*/*") if path.is_file()
        )
        return sorted(name for name in names if name not in known)

    def sweep(self, known: AbstractSet[str]) -> list[str]:
        """Remove files without a row, left by a crash before their commit; blocking, for boot only.

        Returns:
            The names removed. No sender was told that these were kept.
        """
        orphans = self.orphans(known)
        for name in orphans:
            self.remove(name)
        return orphans
