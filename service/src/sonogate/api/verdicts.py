"""POST /v1/verdicts: one object in, its verdict out, in the same call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request, Response

from sonogate.api.bodies import declared, settle, whole_body
from sonogate.api.dependencies import PortsDep, SettingsDep
from sonogate.api.problems import Problem
from sonogate.api.schemas import ErrorBody
from sonogate.api.wording import WordingDep
from sonogate.domain.instance import MediaType
from sonogate.domain.verdict import Status, Verdict

router = APIRouter(prefix="/v1", tags=["verdicts"])

MAX_UPLOADS = 16  # held at once; each holds at most 1 MiB of memory and a verdict's wait

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The object itself, not a form.",
        "content": dict.fromkeys([*MediaType, "application/octet-stream"], BINARY),
    }
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": Verdict, "description": "Kept; the verdict is still pending. Ask at Location."},
    408: {"model": ErrorBody, "description": "The body stopped arriving."},
    413: {"model": ErrorBody, "description": "Over http.max_body_bytes."},
    415: {"model": ErrorBody, "description": "Not DICOM, PNG, JPEG or WebP."},
    422: {"model": ErrorBody, "description": "Empty, malformed, or not what Content-Type says."},
    503: {"model": ErrorBody, "description": "No room to keep it now; send again later."},
}


@asynccontextmanager
async def a_place(request: Request) -> AsyncIterator[None]:
    """Take one of the few places in which objects arrive over HTTP.

    Raises:
        Problem: 503 if all are taken.
    """
    places: asyncio.Semaphore = request.app.state.upload_places
    if places.locked():
        raise Problem(
            503,
            "busy",
            f"{MAX_UPLOADS} objects are being sent already.",
            "Send again in a moment.",
            retry_after_seconds=2,
        )
    async with places:
        yield


@router.post(
    "/verdicts",
    summary="Judge one object",
    responses=RESPONSES,
    openapi_extra=BODY,
)
async def create_verdict(
    request: Request,
    response: Response,
    ports: PortsDep,
    settings: SettingsDep,
    wording: WordingDep,
) -> Verdict:
    """Keep a DICOM object or a picture as durably as one from a cart, and answer its verdict.

    Within `http.verdict_timeout_seconds` the answer is 200 with the verdict; after it 202 with the
    pending one, to be read at `Location`. `graded`, `not_applicable` and `unscorable` are all
    answers, not errors.
    """
    claimed = declared(request.headers.get("content-type"))
    peer = request.client.host if request.client else ""
    async with (
        a_place(request),
        whole_body(request, settings.max_body_bytes, ports.upload_dir) as (body, head),
    ):
        object_id, verdict = await ports.submit(body, settle(claimed, head), peer)
    response.headers["Location"] = f"/v1/objects/{object_id}"
    response.headers["Sonogate-Object-Id"] = object_id
    if verdict.status is Status.PENDING:
        response.status_code = 202
    return wording.verdict(verdict)
