"""GET /v1/events: everything that happens, live, as server-sent events.

Each stream walks the durable event log by id, a page at a time, and waits only at its end. So a
client that comes back with its last id misses nothing, or is told to read anew where the log was
pruned meanwhile; a slow one costs no memory, and there is no
seam between catching up and living on.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from sonogate.api.dependencies import ApiPorts, PortsDep
from sonogate.api.problems import Problem
from sonogate.api.schemas import ErrorBody
from sonogate.api.wording import Wording, WordingDep
from sonogate.domain.verdict import Verdict
from sonogate.store.records import Event

router = APIRouter(prefix="/v1", tags=["events"])

KEEP_ALIVE_SECONDS = 5  # the page calls a silence of 12 s a lost connection
WAIT_SECONDS = 60.0  # a missed wake-up heals after this time
SEND_SECONDS = 30.0  # a client that reads nothing for so long is cut off and may resume
MAX_STREAMS = 100
PAGE_OF_EVENTS = 500
MAX_EVENT_ID = 2**63 - 1


def _number(text: str | None) -> int | None:
    if text is None or not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and int(text) <= MAX_EVENT_ID):
        raise Problem(
            422,
            "invalid_event_id",
            "Last-Event-ID is not an id that this gate gave.",
            "Send the id of the last event you saw, or none to start from now.",
        )
    return int(text)


def _in_words(event: Event, wording: Wording) -> dict[str, Any]:
    """Return an event's body as the client reads it; one of another release stays as it is."""
    if wording.is_site_s:  # the journal is in that language
        return dict(event.body)
    try:
        verdict = Verdict.model_validate(event.body.get("verdict"))
    except ValidationError:
        return dict(event.body)
    return {**event.body, "verdict": wording.verdict(verdict).model_dump(mode="json")}


def _to_sse(event: Event, wording: Wording) -> ServerSentEvent:
    body = {
        "id": event.id,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "study_instance_uid": event.study_uid,
        "object_id": event.object_id,
        **_in_words(event, wording),
    }
    return ServerSentEvent(json.dumps(body, ensure_ascii=False), event=event.kind, id=str(event.id))


def _hello(last_id: int, *, reset: bool) -> ServerSentEvent:
    body = {"last_event_id": last_id, "reset": reset, "keep_alive_seconds": KEEP_ALIVE_SECONDS}
    return ServerSentEvent(json.dumps(body), event="hello", id=str(last_id))


async def _growth(ports: ApiPorts, event_id: int) -> None:
    """Wait until the log may have grown or the door closes."""
    waits = [
        asyncio.ensure_future(ports.events.wait(event_id, WAIT_SECONDS)),
        asyncio.ensure_future(ports.closing.wait()),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _stream(
    ports: ApiPorts, asked: int | None, wording: Wording
) -> AsyncIterator[ServerSentEvent]:
    newest = await ports.events.last_id()
    pruned_to = await ports.events.pruned_to()
    reset = asked is not None and not pruned_to <= asked <= newest  # too old, or another database
    position = newest if asked is None or reset else asked
    yield _hello(position, reset=reset)
    while not ports.closing.is_set():
        page = await ports.events.after(position, PAGE_OF_EVENTS)
        for event in page:
            yield _to_sse(event, wording)
            position = event.id
        if not page:
            await _growth(ports, position)


async def _counted(
    request: Request, ports: ApiPorts, asked: int | None, wording: Wording
) -> AsyncIterator[ServerSentEvent]:
    request.app.state.n_streams += 1
    try:
        async for event in _stream(ports, asked, wording):
            yield event
    finally:
        request.app.state.n_streams -= 1


@router.get(
    "/events",
    summary="Follow what happens",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The stream; it does not end."},
        503: {"model": ErrorBody, "description": "Too many streams are open."},
    },
)
async def follow_events(
    request: Request,
    ports: PortsDep,
    wording: WordingDep,
    last_event_id: Annotated[
        str | None, Query(description="As the header, for clients that can't set one.")
    ] = None,
    last_event_id_header: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Resume after this event.")
    ] = None,
) -> EventSourceResponse:
    """Stream events: `verdict`, `study`, `override`, `question` and `advice`, each with its id.

    First comes `hello` with the id the stream starts after: read the state you need after it, and
    nothing is missed. Without an id the stream starts from now. `reset: true` in `hello` says that
    what came after the id asked for is gone, or that the id is not of this database: the stream
    starts from now, and state has to be read anew. A comment comes every 5 seconds, so that
    silence means a lost connection.
    """
    asked = _number(last_event_id_header)
    asked = _number(last_event_id) if asked is None else asked
    if request.app.state.n_streams >= MAX_STREAMS:
        raise Problem(
            503,
            "too_many_streams",
            f"{MAX_STREAMS} event streams are open already.",
            "Close pages that nobody looks at, then try again.",
            retry_after_seconds=10,
        )
    return EventSourceResponse(
        _counted(request, ports, asked, wording),
        ping=KEEP_ALIVE_SECONDS,
        send_timeout=SEND_SECONDS,
        headers={"Content-Language": wording.language, "Vary": "Accept-Language"},
    )
