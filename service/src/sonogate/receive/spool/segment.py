"""One segment: a file that is only appended to, until it is sealed and, once empty, removed."""

import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from sonogate.domain.instance import Span
from sonogate.receive.spool.files import CREATE_FLAGS, FILE_MODE, Block, sync_folder
from sonogate.receive.spool.records import Record, is_whole, scan
from sonogate.receive.spool.staging import ALIGNMENT, Staging, padding_after, pass_by_cache

SUFFIX: Final = ".segment"
_OPEN: Final = b"SonoGate segment 2 open\n"
_FIRST: Final = b"SonoGate segment 1 "
_SECOND: Final = b"SonoGate segment 2 "
_LAYOUTS: Final = {_FIRST: (len(_OPEN), 1), _SECOND: (ALIGNMENT, ALIGNMENT)}
"""Where the first record is, and of what each record's place is a multiple, by form."""
_SEALED: Final = b"done"
"""In either form, in the place of "open"."""
_PUNCH_HOLE_KEEP_SIZE: Final = 0x02 | 0x01  # linux/falloc.h
_ZEROS: Final = bytes(1024 * 1024)


class Segment:
    """The segment that is written now. One thread appends; `settle` may come from another."""

    def __init__(self, folder: Path, name: str, staging: Staging) -> None:
        self.name = name
        self.path = folder / name
        self._staging = staging
        self._lock = Lock()
        self._n_owed = 0
        self._is_closed = False
        self._descriptor = os.open(self.path, CREATE_FLAGS, FILE_MODE)
        try:
            self._open()
            os.fsync(self._descriptor)
            sync_folder(folder)
        except OSError:
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)
            raise
        self.size_bytes = ALIGNMENT

    def _open(self) -> None:
        """Write the opening past the cache; a file system that can't do that says so here."""
        opening = (_OPEN, padding_after(len(_OPEN)))
        is_direct = pass_by_cache(self._descriptor)
        try:
            self._staging.write(self._descriptor, opening, 0)
        except OSError as error:
            if not is_direct or error.errno != errno.EINVAL:
                raise
            pass_by_cache(self._descriptor, is_wanted=False)
            self._staging.write(self._descriptor, opening, 0)

    def append(self, blocks: Sequence[Block], n_bytes: int, n_records: int) -> None:
        """Write records and make them durable; after an error nothing of them counts.

        Args:
            blocks: One record behind the other, each with what fills its last block.
            n_bytes: Of all blocks.
            n_records: How many the database is to be told of.

        Raises:
            OSError: The disk refused; the segment is as long as before and takes no more.
        """
        self.settle(-n_records)
        try:
            self._staging.write(self._descriptor, blocks, self.size_bytes)
            os.fdatasync(self._descriptor)
        except Exception:
            with suppress(OSError):
                self._write_tail_again()
            self.settle(n_records)
            raise
        self.size_bytes += n_bytes

    def _write_tail_again(self) -> None:
        """Take back what failed, and sync the end of what was acknowledged once more.

        Both may lie on one page of the cache, if pages are larger than blocks and the file system
        wants its cache. After a failed sync the system takes that page for clean, whatever of it is
        on the disk; cutting it off makes it one to be written.
        """
        os.ftruncate(self._descriptor, self.size_bytes)
        os.fdatasync(self._descriptor)

    def settle(self, n_records: int = 1) -> None:
        """So many records are known to the database; a closed segment that owes none is sealed."""
        with self._lock:
            self._n_owed -= n_records
            self._seal_if_done()

    def close(self) -> None:
        """Take no more records."""
        with self._lock:
            self._is_closed = True
            with suppress(OSError):  # what counts was synced before
                os.close(self._descriptor)
            self._seal_if_done()

    @property
    def is_done(self) -> bool:
        """Whether it takes no more records and owes none to the database."""
        return self._is_closed and self._n_owed == 0

    def _seal_if_done(self) -> None:
        if self.is_done:
            with suppress(OSError):  # it is read once more at the next start
                seal(self.path)


def seal(path: Path) -> None:
    """Note that every record is known to the database, so that no start reads the segment again.

    Not synced: a segment whose seal was lost is read once more, and nothing in it is new.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, _SEALED, len(_SECOND))
    finally:
        os.close(descriptor)


def is_sealed(path: Path) -> bool:
    """Whether the database was told every record."""
    with path.open("rb") as file:
        return file.read(len(_SECOND)) in _LAYOUTS and file.read(len(_SEALED)) == _SEALED


def whole_records(path: Path) -> list[Record]:
    """Return the records of a segment that have all their bytes; blocking, for the start."""
    with path.open("rb") as file:
        records = list(_records(path, file))
        return [each for each in records if _is_kept(path, file, each)]


def _records(path: Path, file: BinaryIO) -> Iterator[Record]:
    """Yield the records of a segment of either form; one whose opening is torn has none."""
    layout = _LAYOUTS.get(file.read(len(_SECOND)))
    if layout is not None:
        start, alignment = layout
        file.seek(start)
        yield from scan(file, path.name, path.stat().st_size, alignment)


def _is_kept(path: Path, file: BinaryIO, record: Record) -> bool:
    if record.span.size_bytes:
        return is_whole(file, record)
    own = path.parent.parent / record.instance.spool_name
    return own.is_file() and own.stat().st_size == record.instance.size_bytes


def names_in(path: Path) -> set[str]:
    """Return the spool names of all records of a segment; blocking."""
    with path.open("rb") as file:
        return {each.instance.spool_name for each in _records(path, file)}


def erase(path: Path, span: Span) -> None:
    """Give a span's room back to the disk; where it can't be, overwrite it with zeros."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if _punch(descriptor, span) != 0:
            _overwrite(descriptor, span)
    finally:
        os.close(descriptor)


def _punch(descriptor: int, span: Span) -> int:
    fallocate = getattr(ctypes.CDLL(None), "fallocate64", None)
    if fallocate is None:
        return -1
    offset, size = ctypes.c_int64(span.offset), ctypes.c_int64(span.size_bytes)
    return int(fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, size))


def _overwrite(descriptor: int, span: Span) -> None:
    position, end = span.offset, span.offset + span.size_bytes
    while position < end:
        position += os.pwrite(descriptor, _ZEROS[: end - position], position)
