"""GET /v1/events over a real server: live, resumable, without a seam, and bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sonogate.api import events

if TYPE_CHECKING:
    from tests.service.api.conftest import Door

pytestmark = pytest.mark.integration

Lines = AsyncIterator[tuple[str, dict[str, Any]]]


async def parsed(response: httpx.Response) -> Lines:
    """Yield (kind, body) of each event; "ping" for a comment."""
    kind = "message"
    async for line in response.aiter_lines():
        if line.startswith(": "):
            yield "ping", {}
        elif line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            yield kind, json.loads(line[6:])


@asynccontextmanager
async def following(port: int, path: str = "/v1/events", **headers: str) -> AsyncIterator[Lines]:
    """Open a stream."""
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", f"http://127.0.0.1:{port}{path}", headers=headers) as response,
    ):
        assert 200 == response.status_code
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parsed(response)


async def ids(stream: Lines, n: int) -> list[int]:
    """Take the next n events, pings aside, and return their ids."""
    found: list[int] = []
    async for kind, body in stream:
        if kind != "ping":
            found.append(body["id"])
        if len(found) == n:
            return found
    return found


async def test_events_arrive_live_with_their_ids(door: Door, port: int) -> None:
    """The stream greets with the id it starts after; then each event comes as it happens."""
    door.feed.add(number=1)
    async with following(port) as stream:
        kind, hello = await anext(stream)
        door.feed.add("override", number=2, verdict={"band": "low"})
        override, body = await anext(stream)

    assert ("hello", 1) == (kind, hello["last_event_id"])
    assert ("override", 2, "low") == (override, body["id"], body["verdict"]["band"])
    assert "1.2" == body["study_instance_uid"]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_resumes_after_the_last_event_seen(door: Door, port: int, way: str) -> None:
    """Whatever was missed comes first, then what is new; nothing twice."""
    for _ in range(1200):
        door.feed.add()
    headers = {"Last-Event-ID": "5"} if way == "header" else {}
    path = "/v1/events" if way == "header" else "/v1/events?last_event_id=5"
    async with following(port, path, **headers) as stream:
        await anext(stream)
        missed = await ids(stream, 1195)
        door.feed.add()
        live = await ids(stream, 1)

    assert list(range(6, 1201)) == missed
    assert [1201] == live


async def test_nothing_is_lost_between_catching_up_and_living_on(door: Door, port: int) -> None:
    """Events written all the while arrive each once and in order, across reconnections."""
    n = 600

    async def write() -> None:
        for number in range(n):
            door.feed.add(number=number)
            await asyncio.sleep(0.001 if number % 7 else 0)

    writer = asyncio.create_task(write())
    seen: list[int] = []
    while len(seen) < n:
        last = str(seen[-1]) if seen else "0"
        async with following(port, **{"Last-Event-ID": last}) as stream:
            await anext(stream)
            seen += await ids(stream, min(37, n - len(seen)))
    await writer

    assert list(range(1, n + 1)) == seen


async def test_an_id_of_another_database_starts_anew(door: Door, port: int) -> None:
    """A client from before a reset is told so instead of waiting for ever."""
    door.feed.add()
    async with following(port, **{"Last-Event-ID": "99"}) as stream:
        _, hello = await anext(stream)
        door.feed.add()
        fresh = await ids(stream, 1)

    assert (True, 1) == (hello["reset"], hello["last_event_id"])
    assert [2] == fresh


@pytest.mark.parametrize(("asked", "told"), [("2", (True, 5)), ("3", (False, 3))])
async def test_an_id_before_what_was_pruned_starts_anew(
    door: Door, port: int, asked: str, told: tuple[bool, int]
) -> None:
    """Who saw all that is gone resumes; who missed some of it is told to read anew."""
    for _ in range(5):
        door.feed.add()
    door.feed.n_pruned = 3
    async with following(port, **{"Last-Event-ID": asked}) as stream:
        _, hello = await anext(stream)

    assert told == (hello["reset"], hello["last_event_id"])


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "9" * 30, "١"])
async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient, text: str) -> None:
    """Never a fault, never a guess."""
    answer = await client.get("/v1/events", params={"last_event_id": text})

    assert (422, "invalid_event_id") == (answer.status_code, answer.json()["error"])


async def test_silence_is_broken_by_signs_of_life(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page can tell a quiet gate from a lost one."""
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.1)
    async with following(port) as stream:
        await anext(stream)
        kind, _ = await anext(stream)

    assert "ping" == kind


async def test_streams_are_bounded_and_their_places_return(
    door: Door, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream above the limit is refused; when one ends its place is free."""
    monkeypatch.setattr(events, "MAX_STREAMS", 1)
    async with following(port) as stream, httpx.AsyncClient() as client:
        await anext(stream)
        answer = await client.get(f"http://127.0.0.1:{port}/v1/events")
    async with asyncio.timeout(5):
        while door.app.state.n_streams:  # noqa: ASYNC110 - the server ends it in its own time
            await asyncio.sleep(0.02)

    assert (503, "too_many_streams") == (answer.status_code, answer.json()["error"])


async def test_closing_the_door_ends_every_stream(door: Door, port: int) -> None:
    """A gate that stops does not wait for pages that stay open."""
    async with following(port) as stream:
        await anext(stream)
        door.ports.closing.set()
        async with asyncio.timeout(5):
            rest = [kind async for kind, _ in stream]

    assert [] == [kind for kind in rest if kind != "ping"]
