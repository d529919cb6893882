"""POST /v1/verdicts."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sonogate.api import bodies
from sonogate.domain.instance import MediaType
from sonogate.domain.verdict import Status, Verdict
from sonogate.errors import MalformedObjectError, SpoolFullError

if TYPE_CHECKING:
    from tests.service.api.conftest import Door, MakeDoor

DICOM = bytes(128) + b"DICM" + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
JPEG = b"\xff\xd8\xff\xe0" + bytes(32)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(32)


def left_in(folder: Path) -> list[Path]:
    """Return what a folder holds."""
    return list(folder.iterdir())


def typed(content_type: str) -> dict[str, str]:
    """Make the header that says what a body is."""
    return {"Content-Type": content_type}


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (DICOM, "application/dicom", MediaType.DICOM),
        (bytes(200), "application/dicom", MediaType.DICOM),
        (PNG, "image/png", MediaType.PNG),
        (JPEG, "image/jpeg; charset=binary", MediaType.JPEG),
        (WEBP, "IMAGE/WEBP", MediaType.WEBP),
        (DICOM, "application/octet-stream", MediaType.DICOM),
        (WEBP, "application/octet-stream", MediaType.WEBP),
    ],
)
async def test_an_object_is_answered_with_its_verdict_in_the_same_call(
    door: Door, client: httpx.AsyncClient, body: bytes, content_type: str, expected: MediaType
) -> None:
    """The body reaches the gate whole, with its type; the answer is the verdict JSON exactly."""
    answer = await client.post("/v1/verdicts", content=body, headers=typed(content_type))

    assert 200 == answer.status_code
    assert isinstance(door.verdict, Verdict)
    assert door.verdict.model_dump(mode="json") == answer.json()
    assert [(body, expected, "127.0.0.1")] == door.submitted
    assert answer.headers["Location"].endswith(answer.headers["Sonogate-Object-Id"])


async def test_a_verdict_that_takes_too_long_is_answered_as_pending(
    door: Door, client: httpx.AsyncClient
) -> None:
    """202 tells a program to come back to Location; it is never mistaken for a verdict."""
    door.verdict = Verdict(status=Status.PENDING)

    answer = await client.post("/v1/verdicts", content=PNG, headers=typed("image/png"))

    assert (202, "pending") == (answer.status_code, answer.json()["status"])
    assert "Location" in answer.headers


@pytest.mark.parametrize(
    ("body", "content_type", "refusal"),
    [
        (b"hello", "application/octet-stream", (415, "unsupported_media_type")),
        (PNG, "image/gif", (415, "unsupported_media_type")),
        (PNG, "text/plain", (415, "unsupported_media_type")),
        (PNG, "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (PNG, "multipart/form-data; boundary=x", (415, "unsupported_media_type")),
        (PNG, "image/jpeg", (422, "media_type_mismatch")),
        (JPEG, "application/dicom", (422, "media_type_mismatch")),
        (b"", "image/png", (422, "empty_body")),
    ],
)
async def test_a_body_that_can_not_be_taken_is_refused_with_the_remedy(
    door: Door, client: httpx.AsyncClient, body: bytes, content_type: str, refusal: tuple[int, str]
) -> None:
    """Each refusal has its code, and nothing is kept."""
    answer = await client.post("/v1/verdicts", content=body, headers=typed(content_type))

    assert refusal == (answer.status_code, answer.json()["error"])
    assert answer.json()["remedy"]
    assert [] == door.submitted


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SpoolFullError(), 503, "spool_full"),
        (MalformedObjectError(), 422, "malformed_object"),
        (OSError(errno.ENOSPC, "No space left on device"), 503, "spool_full"),
        (OSError(errno.EIO, "Input/output error"), 503, "spool_write"),
    ],
)
async def test_what_the_spool_refuses_is_said_in_http(
    door: Door, client: httpx.AsyncClient, error: Exception, status: int, code: str
) -> None:
    """A full spool asks to come back; a malformed object does not."""
    door.verdict = error

    answer = await client.post("/v1/verdicts", content=PNG, headers=typed("image/png"))

    assert (status, code) == (answer.status_code, answer.json()["error"])
    assert (status == 503) == ("Retry-After" in answer.headers)


async def test_a_large_body_rests_on_disk_and_the_file_goes_afterwards(
    door: Door, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Above 1 MiB the gate is handed a file; nothing is left in the folder."""
    kinds: list[bool] = []
    submit = door.ports.submit

    async def spy(body: bytes | Path, media_type: MediaType, peer: str) -> tuple[str, Verdict]:
        kinds.append(isinstance(body, Path) and body.parent == tmp_path)
        return await submit(body, media_type, peer)

    object.__setattr__(door.ports, "submit", spy)
    body = DICOM + bytes(range(256)) * 20_000

    answer = await client.post("/v1/verdicts", content=body, headers=typed("application/dicom"))

    assert 200 == answer.status_code
    assert [True] == kinds
    assert body == door.submitted[0][0]
    assert not left_in(tmp_path)


@pytest.mark.parametrize("length", ["announced", "unknown"])
async def test_a_body_over_the_limit_is_refused(
    make_door: MakeDoor, tmp_path: Path, length: str
) -> None:
    """413, whether the length is announced or the body just goes on; no file is left behind."""
    door = make_door(max_body_bytes=2_000_000)
    sent: list[int] = []

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(100):
            sent.append(1)
            yield PNG + bytes(100_000)

    body = b"".join([chunk async for chunk in stream()]) if length == "announced" else stream()
    sent.clear()
    async with door.client() as client:
        answer = await client.post("/v1/verdicts", content=body, headers=typed("image/png"))

    assert (413, "too_large") == (answer.status_code, answer.json()["error"])
    assert len(sent) <= 100
    assert [] == door.submitted
    assert not left_in(tmp_path)


async def test_a_body_that_stops_arriving_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that announces more than it sends gets 408, and its place is free again."""
    monkeypatch.setattr(bodies, "PROGRESS_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/verdicts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        b"Content-Length: 1000\r\n\r\n\x89PNG"
    )
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()

    assert b"408" in status


async def test_uploads_held_at_once_are_bounded(
    door: Door, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every place taken a further upload is told to come back, at once."""
    places = door.app.state.upload_places
    n_free = 0
    while not places.locked():
        await places.acquire()
        n_free += 1

    answer = await client.post("/v1/verdicts", content=PNG, headers=typed("image/png"))

    assert (503, "busy") == (answer.status_code, answer.json()["error"])
    assert n_free > 0
