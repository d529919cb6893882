"""The file of an object too large for a segment: blocking calls, durable at the end."""

import errno
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonogate.domain.identity import ObjectId
from sonogate.errors import ReceiveError, SpoolFullError, SpoolWriteError
from sonogate.settings import MIB

SYNC_EVERY_BYTES: Final = 16 * MIB
"""A long cine is synced while it arrives, so that little is left to wait for at its end."""

CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
FILE_MODE: Final = 0o640

Block = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledObject:
    """A file that is durable under its name."""

    object_id: ObjectId
    spool_name: str
    content_sha256: str  #: of the content without the file meta, lower-case hex
    size_bytes: int  #: of the whole file


class SpoolFile:
    """Writes one object to a new file; every failure leaves no file behind.

    Args:
        object_id: The object's.
        spool_name: What its row calls the file.
        path: Where the file is.
        meta: Preamble and file meta.
        leftovers: Takes the path if the disk does not even let the file be removed.
    """

    def __init__(
        self,
        object_id: ObjectId,
        spool_name: str,
        path: Path,
        meta: bytes,
        leftovers: set[Path] | None = None,
    ) -> None:
        self.object_id = object_id
        self.spool_name = spool_name
        self._path = path
        self._meta = meta
        self._leftovers = leftovers if leftovers is not None else set()
        self._hash = hashlib.sha256()
        self._descriptor: int | None = None
        self._size_bytes = 0
        self._unsynced_bytes = 0

    def write(self, blocks: Iterable[Block]) -> None:
        """Append blocks of content.

        Raises:
            SpoolFullError: The disk is full.
            SpoolWriteError: The disk refused the bytes.
        """
        try:
            self._append(blocks)
        except OSError as error:
            self.discard()
            raise as_receive_error(error) from error

    def finish(self, blocks: Iterable[Block] = ()) -> FiledObject:
        """Append the last blocks, sync file and folder, and close.

        Raises:
            SpoolFullError: The disk is full.
            SpoolWriteError: The disk refused the bytes.
        """
        try:
            os.fsync(self._append(blocks))
            self._close()
            sync_folder(self._path.parent)
        except OSError as error:
            self.discard()
            raise as_receive_error(error) from error
        return FiledObject(
            object_id=self.object_id,
            spool_name=self.spool_name,
            content_sha256=self._hash.hexdigest(),
            size_bytes=self._size_bytes,
        )

    def discard(self) -> None:
        """Close and remove the file; nothing happens if there is none, and nothing is raised."""
        with suppress(OSError):
            self._close()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            self._leftovers.add(self._path)

    def _append(self, blocks: Iterable[Block]) -> int:
        descriptor = self._descriptor
        if descriptor is None:
            descriptor = self._descriptor = os.open(self._path, CREATE_FLAGS, FILE_MODE)
            self._write_all(descriptor, self._meta)
        for block in blocks:
            self._hash.update(block)
            self._write_all(descriptor, block)
        if self._unsynced_bytes >= SYNC_EVERY_BYTES:
            os.fdatasync(descriptor)
            self._unsynced_bytes = 0
        return descriptor

    def _write_all(self, descriptor: int, block: Block) -> None:
        with memoryview(block) as rest:
            written = 0
            while written < len(rest):
                written += os.write(descriptor, rest[written:])
        self._size_bytes += written
        self._unsynced_bytes += written

    def _close(self) -> None:
        """Close once: after an error, too, the number is no longer ours (close(2))."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes_of(folder: Path) -> int:
    """Return the room left for us on a folder's disk."""
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize


def as_receive_error(error: OSError) -> ReceiveError:
    """Return what the sender is answered with."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpoolFullError()
    return SpoolWriteError()
