"""A destination that is a folder: one Part 10 file for each object, whole or not there."""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonogate.act.forward import outcome
from sonogate.act.forward.carrier import Settle
from sonogate.act.forward.outcome import DestinationError
from sonogate.act.forward.parcel import Parcel, reading

FILE_MODE: Final = 0o640
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCarrier:
    """Writes `<day received>/<our id>.dcm`: no text of a sender is ever part of a path."""

    folder: Path

    async def carry(
        self, parcels: Sequence[Parcel], on_start: Callable[[Parcel], None], settle: Settle
    ) -> None:
        """Write objects one after another; each is durable before it counts as stored."""
        for parcel in parcels:
            on_start(parcel)
            try:
                if not await asyncio.to_thread(_is_there, parcel):
                    settle(parcel, outcome.BYTES_GONE)
                    continue
                await asyncio.to_thread(self._write, parcel)
            except OSError as error:
                reason = "out_of_resources" if error.errno in _FULL else "not_written"
                raise DestinationError(reason) from error
            settle(parcel, outcome.STORED)

    def _write(self, parcel: Parcel) -> None:
        folder = self.folder / parcel.day
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)  # never its parent: that disk may not be mounted
            _sync(self.folder)
        partial = folder / f".{parcel.file_stem}.part"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with (
                os.fdopen(os.open(partial, flags, FILE_MODE), "wb") as file,
                reading(parcel.path, parcel.span) as pieces,
            ):
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(folder / f"{parcel.file_stem}.dcm")
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync(folder)


def _is_there(parcel: Parcel) -> bool:
    """Whether our own copy still is whole: else no other disk is to blame."""
    try:
        end = parcel.span.offset + parcel.span.size_bytes
        return parcel.path.stat().st_size >= end
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
