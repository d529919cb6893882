"""STOW-RS (PS3.18 10.5): many objects in one request, each kept as durably as a C-STORE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from sonogate.api.bodies import check_length, in_chunks
from sonogate.api.dependencies import ApiPorts, PortsDep, SettingsDep
from sonogate.api.dicom_json import JSON, XML, DataSet, element, to_xml
from sonogate.api.multipart import Part, boundary_of, read_parts
from sonogate.api.problems import Problem
from sonogate.api.schemas import ErrorBody
from sonogate.api.verdicts import a_place
from sonogate.domain.instance import MediaType
from sonogate.errors import (
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
)
from sonogate.receive.part10 import MAX_HEAD_BYTES, check_uid, read_head

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])

OUT_OF_RESOURCES, CANNOT_UNDERSTAND, PROCESSING_FAILURE = 0xA700, 0xC000, 0x0110
FAILURES: Mapping[type[ReceiveError], int] = {
    SpoolFullError: OUT_OF_RESOURCES,
    SpoolWriteError: OUT_OF_RESOURCES,
    ObjectTooLargeError: OUT_OF_RESOURCES,
    MalformedObjectError: CANNOT_UNDERSTAND,
}
"""Failure Reason (0008,1197) of each object, as a C-STORE would be answered."""
RETRY_AFTER_SECONDS = "30"

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Every object is kept.", "content": {JSON: {}, XML: {}}},
    202: {"description": "Some objects are kept; FailedSOPSequence names the others."},
    400: {"model": ErrorBody, "description": "The body is no multipart of the boundary it names."},
    406: {"model": ErrorBody, "description": "Accept allows neither DICOM JSON nor DICOM XML."},
    408: {"model": ErrorBody, "description": "The body stopped arriving; what was whole is kept."},
    409: {"description": "No object is kept; FailedSOPSequence says why."},
    413: {"model": ErrorBody, "description": "Over http.max_body_bytes, or too many objects."},
    415: {"model": ErrorBody, "description": "Not multipart/related DICOM."},
    503: {"description": "No room to keep any of them now; send again later."},
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "PS3.18 multipart of whole Part 10 files.",
        "content": {
            'multipart/related; type="application/dicom"': {
                "schema": {"type": "string", "format": "binary"}
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one object."""

    sop_class_uid: str
    sop_instance_uid: str
    failure: int | None = None

    def to_item(self) -> DataSet:
        """Return its item of one of the two sequences."""
        item = {
            "00081150": element("UI", *filter(None, (self.sop_class_uid,))),
            "00081155": element("UI", *filter(None, (self.sop_instance_uid,))),
        }
        if self.failure is not None:
            return item | {"00081197": element("US", self.failure)}
        return item | {"00081190": element("UR")}


@router.post(
    "/studies",
    summary="Store DICOM objects (STOW-RS)",
    responses=RESPONSES,
    openapi_extra=BODY,
    response_class=Response,
)
async def store_instances(request: Request, ports: PortsDep, settings: SettingsDep) -> Response:
    """Keep each part of the request; what is listed as stored survives a power cut.

    The same object again changes nothing and is stored. No verdict is waited for: it comes as for a
    cart's object, on the page, over REST and by events.
    """
    media_type = _answer_type(request.headers.get("accept"))
    boundary = boundary_of(request.headers.get("content-type"))
    check_length(request.headers.get("content-length"), settings.max_body_bytes)
    peer = request.client.host if request.client else ""
    async with a_place(request):
        chunks = in_chunks(request, settings.max_body_bytes)
        parts = read_parts(chunks, boundary, ports.upload_dir)
        stored = [await _store(ports, part, peer) async for part in parts]
    if not stored:
        raise Problem(400, "empty_body", "The body holds no object.", "Send at least one part.")
    return _answer(stored, media_type)


async def _store(ports: ApiPorts, part: Part, peer: str) -> Stored:
    """Keep one part; a refusal is part of the answer."""
    try:
        head = read_head(_first_bytes(part.body))
    except MalformedObjectError:
        return Stored("", "", CANNOT_UNDERSTAND)
    names = _told(head.sop_class_uid), _told(head.sop_instance_uid)
    if part.content_type != MediaType.DICOM:
        return Stored(*names, CANNOT_UNDERSTAND)
    try:
        await ports.keep(part.body, MediaType.DICOM, peer)
    except ReceiveError as error:
        return Stored(*names, FAILURES.get(type(error), PROCESSING_FAILURE))
    return Stored(*names)


def _told(uid: str) -> str:
    """Return a UID as the answer may repeat it; empty for what can't be one, nor be in XML."""
    try:
        check_uid("UID", uid)
    except MalformedObjectError:
        return ""
    return uid


def _first_bytes(body: bytes | Path) -> bytes:
    if isinstance(body, bytes):
        return body[:MAX_HEAD_BYTES]
    with body.open("rb") as stream:
        return stream.read(MAX_HEAD_BYTES)


def _answer_type(accept: str | None) -> str:
    """Choose between the two forms of the answer; JSON unless only XML is allowed."""
    offered = [one.partition(";")[0].strip().lower() for one in (accept or "*/*").split(",")]
    if {JSON, "application/json", "application/*", "*/*"} & set(offered):
        return JSON
    if {XML, "application/xml"} & set(offered):
        return XML
    raise Problem(406, "not_acceptable", "Accept allows no form of the answer.", f"Accept {JSON}.")


def _answer(stored: Sequence[Stored], media_type: str) -> Response:
    kept = [each.to_item() for each in stored if each.failure is None]
    failed = [each.to_item() for each in stored if each.failure is not None]
    body: DataSet = {"00081190": element("UR")}  # images can't be retrieved from the gate
    if failed:
        body["00081198"] = element("SQ", *failed)
    if kept:
        body["00081199"] = element("SQ", *kept)
    status = _status(stored)
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if status == 503 else None
    if media_type == XML:
        return Response(to_xml(body), status, headers, XML)
    return JSONResponse(body, status, headers, JSON)


def _status(stored: Sequence[Stored]) -> int:
    failures = {each.failure for each in stored}
    if failures == {None}:
        return 200
    if None in failures:
        return 202
    return 503 if failures == {OUT_OF_RESOURCES} else 409
