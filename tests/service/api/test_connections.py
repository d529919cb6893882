"""HTTP connections that ask for nothing: bounded in number and in time."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from sonogate.api import connections
from sonogate.api.server import serving_http
from tests.service.api.conftest import Door, MakeDoor


@pytest.fixture
async def port(make_door: MakeDoor) -> AsyncIterator[int]:
    """A server on a free port."""
    door: Door = make_door(port=0)
    async with serving_http(door.ports, door.settings) as port:
        yield port


async def is_cut(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the server closes the connection in time."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read() == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def status_of(port: int) -> int:
    """Ask for something."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return (await client.get("/v1/studies")).status_code


@pytest.mark.parametrize("said", [b"", b"GET /v1/studies HT"])
async def test_a_head_that_never_ends_is_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """A connection without a request is closed; the next one is served."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)

    assert await is_cut(reader, 1.5)
    assert 200 == await status_of(port)
    writer.close()


async def test_a_client_that_asks_again_and_again_keeps_its_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each head has its own time; closing between two requests would lose the second."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.7
    while loop.time() < until:
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        await asyncio.sleep(0.03)
    writer.close()


async def test_connections_beyond_the_bound_are_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the DICOM door keeps the files it needs."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    assert await is_cut(reader, 1.5)
    for _reader, each in [*idle, (reader, writer)]:
        each.close()
    await asyncio.sleep(0.05)
    assert 200 == await status_of(port)
