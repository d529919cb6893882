"""One object ready to be sent: where its bytes are, and what names it."""

import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonogate.domain.instance import Span

BLOCK_BYTES: Final = 1024 * 1024
"""An object leaves the disk in blocks of this size, however large it is."""
_META_LENGTH: Final = struct.Struct("<128x4sHH2sHL")  # preamble, DICM, (0002,0000) UL (PS3.10 7.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A Part 10 file, or a part of a file that is one."""

    forward_id: int
    file_stem: str  #: our own id of it: the name of its file in a folder
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae: str | None  #: who sent it to us over DICOM; None for what we made
    day: str  #: it was received on, YYYY-MM-DD in UTC
    path: Path
    span: Span

    def data_set(self) -> Span:
        """Return where the data set lies in the file, behind the file meta; blocking.

        Raises:
            OSError: The file is gone.
            ValueError: It is no Part 10 file.
        """
        with self.path.open("rb") as file:
            file.seek(self.span.offset)
            head = file.read(_META_LENGTH.size)
        if len(head) < _META_LENGTH.size:
            raise ValueError("too short for a Part 10 file")
        magic, group, element, _vr, _two, length = _META_LENGTH.unpack(head)
        n_meta = _META_LENGTH.size + length
        if (magic, group, element) != (b"DICM", 2, 0) or n_meta >= self.span.size_bytes:
            raise ValueError("no Part 10 file")
        return Span(offset=self.span.offset + n_meta, size_bytes=self.span.size_bytes - n_meta)


@contextmanager
def reading(path: Path, span: Span) -> Iterator[Iterator[bytes]]:
    """Have the bytes of a part of a file for the time of the block; each step blocks.

    The file is closed with the block, however it ends: a broken association keeps its error, and
    with it everything that was under way, for longer than a descriptor may stay open.
    """
    pieces = blocks(path, span)
    try:
        yield pieces
    finally:
        with suppress(ValueError):  # a thread is in it: it goes with that thread's step
            pieces.close()


def blocks(path: Path, span: Span) -> Generator[bytes, None, None]:
    """Yield the bytes of a part of a file; each step blocks.

    Raises:
        OSError: The file is gone, or shorter than it should be.
    """
    with path.open("rb") as file:
        file.seek(span.offset)
        left = span.size_bytes
        while left:
            block = file.read(min(left, BLOCK_BYTES))
            if not block:
                raise OSError(0, "the file is shorter than its row says")
            left -= len(block)
            yield block
