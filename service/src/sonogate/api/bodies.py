"""Take one object as a raw body: bounded in bytes and time, large ones on disk, not in memory."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from fastapi import Request

from sonogate.api.problems import Problem
from sonogate.domain.instance import MediaType, sniff
from sonogate.settings import KIB, MIB

IN_MEMORY_BYTES = MIB
PROGRESS_SECONDS = 30.0  # a body that stops arriving is given up, as a PDU is
PROGRESS_BYTES = 16 * KIB
"""What has to come in that time: 4 kbit/s; a byte now and then would hold a place for ever."""
OCTETS = "application/octet-stream"
REMEDY = (
    "Send the object itself as the body and say what it is, for instance: "
    "curl --data-binary @image.dcm -H 'Content-Type: application/dicom' …/v1/verdicts"
)


def declared(content_type: str | None) -> MediaType | None:
    """Read the Content-Type header; None leaves it to the bytes.

    Raises:
        Problem: 415 for a type that is not ours.
    """
    essence = (content_type or OCTETS).partition(";")[0].strip().lower()
    if essence == OCTETS:
        return None
    try:
        return MediaType(essence)
    except ValueError:
        allowed = ", ".join([*MediaType, OCTETS])
        raise Problem(
            415, "unsupported_media_type", f"The body has to be one of: {allowed}.", REMEDY
        ) from None


def settle(claimed: MediaType | None, head: bytes) -> MediaType:
    """Decide what the body is, from what the client says and what the bytes show.

    A DICOM data set without preamble has no mark, so it counts only if the client says DICOM.

    Raises:
        Problem: 415 for bytes that are none of ours, 422 where claim and bytes disagree.
    """
    seen = sniff(head)
    if claimed is None and seen is None:
        raise Problem(
            415,
            "unsupported_media_type",
            "The body is neither a DICOM Part 10 file nor a PNG, JPEG or WebP image.",
            REMEDY,
        )
    if claimed in (seen, None):
        return seen or MediaType.DICOM
    if claimed is MediaType.DICOM and seen is None:
        return claimed
    raise Problem(
        422, "media_type_mismatch", "The bytes are not what Content-Type says they are.", REMEDY
    )


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413,
        "too_large",
        f"The body is over {max_bytes} bytes.",
        "Send it over DICOM, or raise http.max_body_bytes.",
    )


def check_length(header: str | None, max_bytes: int) -> None:
    """Refuse a body by its announced length, before a byte of it is read."""
    if header is not None and header.isdigit() and int(header) > max_bytes:
        raise _too_large(max_bytes)


async def in_chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes, bounded in bytes and in the time it may trickle.

    Only waiting for the sender counts, not what is done with the bytes in between.

    Raises:
        Problem: 408 or 413.
    """
    stream, clock = aiter(request.stream()), asyncio.get_running_loop().time
    n_bytes, due, left = 0, PROGRESS_BYTES, PROGRESS_SECONDS
    while True:
        asked = clock()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _stalled() from None
        n_bytes += len(chunk)
        if n_bytes > max_bytes:
            raise _too_large(max_bytes)
        left -= clock() - asked
        if n_bytes >= due:
            due, left = n_bytes + PROGRESS_BYTES, PROGRESS_SECONDS
        yield chunk


def _stalled() -> Problem:
    return Problem(
        408,
        "body_stalled",
        f"Less than {PROGRESS_BYTES} bytes of the body came in {PROGRESS_SECONDS:.0f} seconds.",
        "Send the object again.",
    )


async def _spill(file: IO[bytes], first: bytes, rest: AsyncIterator[bytes]) -> None:
    await asyncio.to_thread(file.write, first)
    async for chunk in rest:
        await asyncio.to_thread(file.write, chunk)
    await asyncio.to_thread(file.flush)


@asynccontextmanager
async def whole_body(
    request: Request, max_bytes: int, folder: Path | None
) -> AsyncIterator[tuple[bytes | Path, bytes]]:
    """Read the body; yields (the bytes, or the file they rest in; their first 132 bytes).

    The file is gone when the block ends.

    Raises:
        Problem: 408, 413, or 422 for an empty body.
    """
    check_length(request.headers.get("content-length"), max_bytes)
    chunks, held = in_chunks(request, max_bytes), bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) > IN_MEMORY_BYTES:
            break
    if not held:
        raise Problem(422, "empty_body", "The body is empty.", REMEDY)
    if len(held) <= IN_MEMORY_BYTES:
        yield bytes(held), bytes(held[:132])
        return
    with tempfile.NamedTemporaryFile(dir=folder, prefix="upload-") as file:
        await _spill(file, bytes(held), chunks)
        yield Path(file.name), bytes(held[:132])
