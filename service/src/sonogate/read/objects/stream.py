"""Bytes of a kept object, read within bounds: no length field is believed before its bytes."""

import zlib
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sonogate.domain.instance import Span
from sonogate.errors import UndecodableError

#: A deflated data set may grow to this size: it has to be held in memory whole.
MAX_INFLATED_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


class BoundedStream:
    """A seekable byte source whose reads never ask for more than is left."""

    def __init__(self, source: BinaryIO, size: int, start: int = 0) -> None:
        self._source = source
        self._start = start
        self.size = size

    @classmethod
    def open(cls, path: Path, span: Span | None = None) -> "BoundedStream":
        """Open a file, or a part of one."""
        file = path.open("rb")
        if span is None:
            return cls(file, path.stat().st_size)
        file.seek(span.offset)
        return cls(file, span.size_bytes, span.offset)

    @classmethod
    def over(cls, content: bytes) -> "BoundedStream":
        """Read from memory."""
        return cls(BytesIO(content), len(content))

    def read(self, n_bytes: int = -1) -> bytes:
        """Return up to `n_bytes`; fewer at the end."""
        left = max(0, self.size - self.tell())
        return self._source.read(left if n_bytes < 0 else min(n_bytes, left))

    def read_exactly(self, n_bytes: int) -> bytes:
        """Return `n_bytes`.

        Raises:
            UndecodableError: the object ends before.
        """
        content = self.read(n_bytes)
        if len(content) < n_bytes:
            raise UndecodableError("The object is truncated.")
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset."""
        origin = (0, self.tell(), self.size)[whence]
        return self._source.seek(self._start + max(0, origin + offset)) - self._start

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._source.tell() - self._start

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def __enter__(self) -> "BoundedStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def inflate(stream: BoundedStream, max_bytes: int = MAX_INFLATED_BYTES) -> bytes:
    """Return the rest of a deflated stream, inflated (PS3.5 A.5).

    Raises:
        UndecodableError: it grows over `max_bytes`, or is no deflate stream.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces: list[bytes] = []
    room = max_bytes
    while not inflater.eof and (chunk := stream.read(CHUNK_BYTES)):
        while chunk:
            pieces.append(inflater.decompress(chunk, room + 1))
            room -= len(pieces[-1])
            if room < 0:
                raise UndecodableError(f"It inflates to more than {max_bytes >> 20} MiB.")
            chunk = inflater.unconsumed_tail
    return b"".join(pieces)
