"""The folder of kept objects: durable writes, bounded memory, free room."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from sonogate.domain.identity import new_object_id
from sonogate.domain.instance import ReceivedInstance, Span
from sonogate.errors import SpoolFullError, SpoolWriteError
from sonogate.receive.spool.appender import Appender, Deposition
from sonogate.receive.spool.files import (
    FiledObject,
    SpoolFile,
    free_bytes_of,
    sync_folder,
)
from sonogate.receive.spool.names import FILES, SEGMENTS, Left, began_at, owner_of, segments_of
from sonogate.receive.spool.records import Arrival, Content
from sonogate.receive.spool.segment import SUFFIX, erase, is_sealed, names_in, seal, whole_records
from sonogate.settings import ListenerSettings, SpoolSettings

FILE_THREADS: Final = 4
"""Threads that write and sync the files of large objects."""
FREE_ROOM_SECONDS: Final = 1.0
"""How long one look at the disk's free room is believed."""
CLOCK_SLACK: Final = timedelta(minutes=10)
"""How far the machine's clock may have been set back between two starts."""

T = TypeVar("T")


class Spool:
    """Keeps objects under one folder; call `open` before the first, in an event loop.

    Several processes may keep objects in one folder: each appends to segments of its own, whose
    names end in their owner's (letters and digits; the gate's own is empty).
    """

    def __init__(
        self, folder: Path, settings: SpoolSettings, listener: ListenerSettings, owner: str = ""
    ) -> None:
        self.folder = folder
        self.owner = owner
        self.n_sharers = listener.processes
        self.max_object_bytes = listener.max_object_bytes
        self.stall_seconds = listener.keep_seconds
        self.gathered_bytes = 0
        self._settings = settings
        self._threads = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="spool")
        self._background: set[asyncio.Future[Any]] = set()
        self._appender: Appender | None = None
        self._segment_of: dict[str, str] = {}
        self._leftovers: set[Path] = set()
        self._free_bytes = 0
        self._looked_at = float("-inf")

    def prepare(self) -> None:
        """Make the folders and sync them; harmless where they exist; blocking."""
        for name in (FILES, SEGMENTS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    async def open(self) -> None:
        """Start to keep objects; harmless if open."""
        if self._appender is not None:
            return
        await asyncio.to_thread(self.prepare)
        self._loop = asyncio.get_running_loop()
        segments, segment_bytes = self.folder / SEGMENTS, self._settings.segment_bytes
        self._appender = Appender(segments, segment_bytes, self._answered, self.owner)
        self._appender.start()

    async def close(self) -> None:
        """Wait for work under way and end the threads."""
        while self._background:
            await asyncio.wait(self._background)
        appender, self._appender = self._appender, None
        if appender is not None:
            appender.stop()
            await asyncio.to_thread(appender.join)
            await asyncio.sleep(0)  # the last answers were handed to this loop by the thread
        self._threads.shutdown()

    async def keep(self, arrival: Arrival, content: Content) -> ReceivedInstance:
        """Return the row of an object once row and bytes are durable.

        Args:
            arrival: What is known of it.
            content: Its bytes and their hash.

        Raises:
            SpoolFullError: The disk is too full.
            SpoolWriteError: The disk refused the bytes.
        """
        return await self._deposit(arrival, content)

    async def keep_filed(self, arrival: Arrival, filed: FiledObject) -> ReceivedInstance:
        """Return the row of an object that has a file of its own, once the row is durable.

        Raises:
            ReceiveError: It could not be kept; its file is gone.
        """
        row = arrival.kept(
            filed.object_id, filed.content_sha256, filed.size_bytes, filed.spool_name
        )
        try:
            return await self._deposit(arrival, None, row)
        except (SpoolFullError, SpoolWriteError):
            await self.run(self.give_up, filed.spool_name)
            raise

    async def _deposit(
        self, arrival: Arrival, content: Content | None, filed: ReceivedInstance | None = None
    ) -> ReceivedInstance:
        self.require_room()
        if self._appender is None:
            raise SpoolWriteError("The spool is closed; start the gate, then send again.")
        future: asyncio.Future[ReceivedInstance] = self._loop.create_future()
        self._appender.submit(Deposition(arrival, content, future, filed))
        return await future

    def settled(self, instance: ReceivedInstance) -> None:
        """The row of an object is in the database: its segment owes one less."""
        self.settle(instance.object_id)

    def settle(self, object_id: str) -> None:
        """The same, told by another process."""
        segment = self._segment_of.pop(object_id, "")
        if segment and self._appender is not None:
            self._appender.settle(segment)

    def new_file(self, meta: bytes) -> SpoolFile:
        """Name a file for one object; it is written off the event loop."""
        object_id = new_object_id()
        name = f"{FILES}/{object_id}{self.owner}"
        return SpoolFile(object_id, name, self.folder / name, meta, self._leftovers)

    def place_of(self, spool_name: str) -> tuple[Path, Span | None]:
        """Return where an object is: a file, and which part of it; all of it if None.

        Raises:
            ValueError: The name is not one of ours.
        """
        holder, _, rest = spool_name.partition("/")
        if holder == FILES and rest.isalnum():
            return self.folder / FILES / rest, None
        offset, _, size = rest.partition("+")
        stem = holder.removesuffix(SUFFIX)
        if stem != holder and stem.isalnum() and offset.isdecimal() and size.isdecimal():
            span = Span(offset=int(offset), size_bytes=int(size))
            return self.folder / SEGMENTS / holder, span
        raise ValueError(f"{spool_name!r} is not a name in the spool")

    def remove(self, spool_name: str) -> None:
        """Remove an object's bytes; nothing happens if they are gone already."""
        path, span = self.place_of(spool_name)
        if span is None:
            path.unlink(missing_ok=True)
        elif path.exists():
            erase(path, span)

    def give_up(self, spool_name: str) -> None:
        """Remove bytes that no row speaks of; what the disk does not let go of now goes later."""
        try:
            self.remove(spool_name)
        except OSError:
            path, span = self.place_of(spool_name)
            if span is None:
                self._leftovers.add(path)

    def clear_leftovers(self) -> None:
        """Remove the files that a failing disk did not let go of; blocking."""
        for path in tuple(self._leftovers):
            with suppress(OSError):
                path.unlink(missing_ok=True)
                self._leftovers.discard(path)

    def free_bytes(self) -> int:
        """Return the free room of the spool's disk, at most a second old.

        A disk that can't even say has none: what is sent is refused in words, not by a broken
        association.
        """
        now = time.monotonic()
        if now - self._looked_at > FREE_ROOM_SECONDS:
            try:
                self._free_bytes = free_bytes_of(self.folder)
            except OSError:
                self._free_bytes = 0
            self._looked_at = now
        return self._free_bytes

    def require_room(self) -> None:
        """Raise if the disk is too full to keep another byte.

        Raises:
            SpoolFullError: Less than `min_free_bytes` are free.
        """
        if self.free_bytes() < self._settings.min_free_bytes:
            raise SpoolFullError

    def run(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Run blocking work in the spool's threads; it is waited for when the spool closes."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        self._background.add(future)
        future.add_done_callback(self._background.discard)
        return future

    def unsettled(self, newest: datetime | None = None) -> dict[Path, list[ReceivedInstance]]:
        """Return what an earlier gate kept and may not have told the database, by segment.

        That is what is in segments not sealed, and in all that were still written after the newest
        object that the database knows: it may have been restored from a backup. Blocking, before
        `open`. Tell the database, then `seal` each segment.

        Args:
            newest: When the newest object in the database was received.
        """
        return {
            path: [record.instance for record in whole_records(path)]
            for path, end in self._ends().items()
            if newest is None or end > newest - CLOCK_SLACK or not is_sealed(path)
        }

    def _ends(self) -> dict[Path, datetime]:
        """Return until when each segment was written, at the latest: its owner began the next."""
        ends, next_of = {}, dict[str, datetime]()
        for path in sorted((self.folder / SEGMENTS).glob(f"*{SUFFIX}"), reverse=True):
            owner = owner_of(path.name)
            ends[path] = next_of.get(owner) or datetime.now(UTC)
            next_of[owner] = began_at(path.name)
        return dict(sorted(ends.items()))

    def left_by(self, owner: str) -> Left:
        """Return what an owner that is dead left behind; blocking.

        Its segments that are not sealed, and its files: those of which neither the database nor a
        segment speaks go once the segments' rows are entered.
        """
        segments = (self.folder / SEGMENTS).glob(f"*{SUFFIX}")
        files = (self.folder / FILES).iterdir()
        return Left(
            tuple(
                each
                for each in sorted(segments)
                if owner_of(each.name) == owner and not is_sealed(each)
            ),
            tuple(f"{FILES}/{each.name}" for each in files if owner_of(each.name) == owner),
        )

    def sweep(self, live: AbstractSet[str]) -> list[str]:
        """Remove files, and whole segments, of which no row speaks; blocking, before `open`.

        Args:
            live: Spool names of all objects whose bytes are still wanted.

        Returns:
            The names removed. No sender waits for them, or their time is over.
        """
        files = {f"{FILES}/{path.name}" for path in (self.folder / FILES).iterdir()}
        orphans = sorted(files - live)
        for name in orphans:
            (self.folder / name).unlink(missing_ok=True)
        return orphans + self.drop(live, sorted((self.folder / SEGMENTS).glob(f"*{SUFFIX}")))

    def sealed(self) -> list[Path]:
        """Return the segments that nobody writes and whose rows the database knows; blocking."""
        return [path for path in (self.folder / SEGMENTS).glob(f"*{SUFFIX}") if is_sealed(path)]

    def drop(self, live: AbstractSet[str], segments: Sequence[Path]) -> list[str]:
        """Remove segments none of whose objects is wanted any more; blocking.

        A segment stays, too, while it holds the row of an object that is wanted and has a file of
        its own: a database from a backup would learn of that object from there.

        Args:
            live: Spool names of all objects whose bytes are still wanted.
            segments: Those that may go. While doors write, only what was `sealed` before the
                database was asked for `live`: of others it may not have been told everything.

        Returns:
            The names of the segments removed.
        """
        wanted = segments_of(live)
        gone = [path for path in segments if path.name not in wanted and not names_in(path) & live]
        for path in gone:
            path.unlink(missing_ok=True)
        return [path.name for path in gone]

    def _answered(self, batch: Sequence[Deposition]) -> None:
        """Hand answers from the appender's thread to the event loop."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, batch)
        except RuntimeError:  # the loop is gone, and with it everyone who waits
            return

    def _resolve(self, batch: Sequence[Deposition]) -> None:
        for each in batch:
            if each.kept is not None and each.error is None:
                self._segment_of[each.kept.object_id] = each.segment
            if each.future.done():
                continue
            if each.error is not None:
                each.future.set_exception(each.error)
            else:
                each.future.set_result(each.kept)


def seal_all(segments: Iterable[Path]) -> None:
    """Note that the database knows every record of these segments; blocking."""
    for path in segments:
        seal(path)
