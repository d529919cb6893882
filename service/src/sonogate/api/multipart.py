"""Read multipart/related (RFC 2387, PS3.18 8.6.1.2) as it streams in: bounded, part by part."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sonogate.api.bodies import IN_MEMORY_BYTES
from sonogate.api.problems import Problem

MAX_PARTS = 2000
"""Objects in one request; a client with more sends another."""
MAX_HEADER_BYTES = 8 * 1024
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
"""RFC 2046 5.1.1."""
_PARAMETER = re.compile(r';\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^\s;]+))')
REMEDY = (
    "Send PS3.18 multipart: Content-Type: multipart/related; "
    'type="application/dicom"; boundary=…, each part with Content-Type: application/dicom.'
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part, whole."""

    content_type: str  #: lower case, without parameters
    body: bytes | Path  #: a file goes when the next part is asked for


def boundary_of(content_type: str | None) -> bytes:
    """Return the boundary of a multipart/related body of DICOM objects.

    Raises:
        Problem: 415 for another type, 400 for a bad boundary.
    """
    essence, _, rest = (content_type or "").partition(";")
    parameters = {
        name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(f";{rest}")
    }
    of_dicom = parameters.get("type", "application/dicom").lower() == "application/dicom"
    if essence.strip().lower() != "multipart/related" or not of_dicom:
        raise Problem(
            415, "unsupported_media_type", "The body has to be multipart/related DICOM.", REMEDY
        )
    boundary: str = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("Content-Type has no valid boundary.")
    return boundary.encode("ascii")


class _Stream:
    """Bytes as they come, looked at without losing any."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.held = bytearray()

    async def more(self) -> None:
        """Hold at least one byte more.

        Raises:
            Problem: 400 if the body ends here.
        """
        async for chunk in self._chunks:
            if chunk:
                self.held += chunk
                return
        raise _malformed("The body ends inside a part.")

    async def take_past(self, mark: bytes, max_bytes: int) -> bytes:
        """Return what comes before a mark, and drop both."""
        while (at := self.held.find(mark)) < 0:
            if len(self.held) > max_bytes:
                raise _malformed("A part's header is too long.")
            await self.more()
        found = bytes(self.held[:at])
        del self.held[: at + len(mark)]
        return found

    async def pieces_until(self, mark: bytes) -> AsyncIterator[bytes]:
        """Yield bytes up to a mark, and drop it."""
        while (at := self.held.find(mark)) < 0:
            safe = len(self.held) - len(mark) + 1
            if safe > 0:
                yield bytes(self.held[:safe])
                del self.held[:safe]
            await self.more()
        yield bytes(self.held[:at])
        del self.held[: at + len(mark)]


async def read_parts(
    chunks: AsyncIterator[bytes], boundary: bytes, folder: Path | None
) -> AsyncIterator[Part]:
    """Yield each part once it is whole; large ones rest in a file that goes with the next.

    Args:
        chunks: the body, bounded in bytes and time by whoever reads it.
        boundary: without its dashes.
        folder: where large parts rest.

    Raises:
        Problem: 400 for a body that is not what its type says, 413 for too many parts.
    """
    stream, delimiter = _Stream(chunks), b"\r\n--" + boundary
    stream.held += b"\r\n"  # the first delimiter may open the body
    await stream.take_past(delimiter, MAX_HEADER_BYTES)
    n_parts = 0
    while not await _is_last(stream):
        n_parts += 1
        if n_parts > MAX_PARTS:
            raise Problem(
                413, "too_many_parts", f"More than {MAX_PARTS} objects in one request.", REMEDY
            )
        content_type = _content_type(await _header(stream))
        with ExitStack() as stack:
            yield Part(content_type, await _body(stream, delimiter, folder, stack))


async def _is_last(stream: _Stream) -> bool:
    """Read what follows a delimiter: two dashes at the end, else the line's end."""
    while len(stream.held) < 2:
        await stream.more()
    if stream.held[:2] == b"--":
        return True
    if (await stream.take_past(b"\r\n", MAX_HEADER_BYTES)).strip(b" \t"):
        raise _malformed("A delimiter line holds more than the boundary.")
    return False


async def _header(stream: _Stream) -> bytes:
    """Return a part's header fields; there may be none."""
    while len(stream.held) < 2:
        await stream.more()
    if stream.held[:2] == b"\r\n":
        del stream.held[:2]
        return b""
    return await stream.take_past(b"\r\n\r\n", MAX_HEADER_BYTES)


def _content_type(header: bytes) -> str:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.partition(b";")[0].strip().lower().decode("latin-1")
    return "application/dicom"  # the type parameter of the whole says so


async def _body(
    stream: _Stream, delimiter: bytes, folder: Path | None, stack: ExitStack
) -> bytes | Path:
    """Return a part's bytes, or the file they rest in; `stack` removes it."""
    held, file = bytearray(), None
    async for piece in stream.pieces_until(delimiter):
        held += piece
        if len(held) > IN_MEMORY_BYTES:
            file = file or stack.enter_context(_resting(folder))
            await asyncio.to_thread(file.write, bytes(held))
            held.clear()
    if file is None:
        return bytes(held)
    await asyncio.to_thread(file.write, bytes(held))
    await asyncio.to_thread(file.flush)
    return Path(file.name)


def _resting(folder: Path | None) -> AbstractContextManager[IO[bytes]]:
    return tempfile.NamedTemporaryFile(dir=folder, prefix="stow-")


def _malformed(message: str) -> Problem:
    return Problem(400, "malformed_multipart", message, REMEDY)
