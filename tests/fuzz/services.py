"""Smaller doors of the gate: command sets, small data sets, archives' answers, uploads."""

import asyncio
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from xml.etree import ElementTree

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sonogate.act.forward.outcome import DestinationError
from sonogate.act.forward.pdus import (
    command_pieces,
    read_associate_ac,
    rejection_of,
    status_of,
)
from sonogate.domain.commitment import CommitmentOutcome, CommitmentReport, CommitmentRequest
from sonogate.receive.c_store import AcceptedContext, Sender
from sonogate.receive.commitment import PUSH_MODEL_INSTANCE, CommitmentAction, write_report
from sonogate.receive.contexts import PROCEDURE_STEP, STORAGE_COMMITMENT
from sonogate.receive.datasets import read_set, write_set
from sonogate.receive.dimse import CommandField, Reply, Request, read_command, write_response
from sonogate.receive.mpps import StepOperation
from sonogate.receive.status import SUCCESS, Answer
from sonogate.receive.upper_layer import ProtocolViolationError
from tests.fuzz.conversations import Keeper, gate
from tests.fuzz.harness import scratch
from tests.service.api.conftest import Door
from tests.service.receive.door import ECHO_RQ, command, element, request_rq, store_rq

SYNTAXES: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")
SENDER: Final = Sender(calling_ae="FUZZ", called_ae="SONOGATE", peer_address="127.0.0.1")  # type: ignore[arg-type]


def read_commands(data: bytes) -> str:
    """Read a command set; what answers it must be one too, and say what was asked."""
    try:
        read = read_command(data)
    except ProtocolViolationError as violation:
        return str(violation)
    if isinstance(read, Reply):
        return "reply"
    answer = read_command(write_response(read, SUCCESS))
    if not isinstance(answer, Reply) or answer.message_id != read.message_id:
        raise AssertionError("the answer to a request is none")
    return f"request {read.command_field}"


def _request(field_code: int) -> Request:
    return Request(
        command_field=field_code,
        message_id=1,
        sop_class_uid=PROCEDURE_STEP,
        sop_instance_uid="1.2.3" if field_code != CommandField.N_ACTION else PUSH_MODEL_INSTANCE,
        has_data_set=True,
        action_type_id=1,
    )


def _context(syntax: int, abstract_syntax: str) -> AcceptedContext:
    return AcceptedContext(
        abstract_syntax=abstract_syntax, transfer_syntax=SYNTAXES[syntax % len(SYNTAXES)]
    )


def take_step(data: bytes) -> str:
    """Read a data set as an exam step's; the first byte chooses its syntax and request."""
    if not data:
        return "nothing"
    field_code = CommandField.N_CREATE if data[0] & 4 else CommandField.N_SET
    operation = StepOperation(
        Keeper(), SENDER, _request(field_code), _context(data[0] % 4, PROCEDURE_STEP)
    )
    return _answered(gate().loop.run_until_complete(operation.perform(data[1:])))


class _Clerk:
    """Takes requests for commitment and writes what would be reported."""

    def __init__(self, syntax: str) -> None:
        self._syntax = syntax

    async def take(self, request: CommitmentRequest, _reply: object) -> CommitmentOutcome:
        """Write a report in which the first instance failed, and read it."""
        items = tuple((item, None) for item in request.items)
        report = CommitmentReport(transaction_uid=request.transaction_uid, items=items)
        written = read_set(write_report(report, self._syntax), self._syntax)
        if len(written.ReferencedSOPSequence) != len(request.items):
            raise AssertionError("a report names other instances than were asked for")
        return CommitmentOutcome.TAKEN


def take_request(data: bytes) -> str:
    """Read a data set as a request for commitment; the first byte chooses its syntax."""
    if not data:
        return "nothing"
    context = _context(data[0], STORAGE_COMMITMENT)
    action = CommitmentAction(
        _Clerk(context.transfer_syntax), SENDER, _request(CommandField.N_ACTION), context, _mute
    )
    return _answered(gate().loop.run_until_complete(action.perform(data[1:])))


async def _mute(_report: CommitmentReport) -> int | None:
    return None


def _answered(answer: Answer) -> str:
    return f"{answer.status:04X} {answer.comment}"


def read_answers(data: bytes) -> str:
    """Read bytes as the PDUs of an archive that we send to."""
    if not data:
        return "nothing"
    pdu, said = data[1:], [rejection_of(data[1:])]
    try:
        if data[0] & 1:
            said.append(str(read_associate_ac(pdu, 1 + data[0] % 8).contexts))
        else:
            pieces = b"".join(piece for piece, _is_last in command_pieces(pdu))
            said.append(str(status_of(pieces, 1)))
    except DestinationError as error:
        said.append(str(error))
    return " ".join(said)


@cache
def _door() -> Door:
    return Door(upload_dir=scratch())


def upload(data: bytes) -> str:
    """Read bytes as a STOW-RS request: a Content-Type and an Accept, a line each, then the body.

    What is answered in XML must be XML.
    """
    head, _, body = data.partition(b"\n\n")
    kind, _, accept = head.partition(b"\n")
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/dicomweb/studies", "raw_path": b"/dicomweb/studies", "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
        "headers": [(b"host", b"127.0.0.1:8080"), (b"content-type", kind), (b"accept", accept)],
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    size = 1 + len(body) // 3
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(answer: Any) -> None:
        sent.append(answer)

    _door().submitted.clear()
    gate().loop.run_until_complete(_in_time(_door().app(scope, receive, send)))
    return _checked(sent)


async def _in_time(work: Any) -> None:
    async with asyncio.timeout(20):
        await work


def _checked(sent: list[dict[str, Any]]) -> str:
    status = next(each["status"] for each in sent if each["type"] == "http.response.start")
    headers = dict(next(each["headers"] for each in sent if "headers" in each))
    body = b"".join(each.get("body", b"") for each in sent)
    if status == 500:
        raise AssertionError(body[:200])
    if headers.get(b"content-type", b"").startswith(b"application/dicom+xml"):
        ElementTree.fromstring(body)  # noqa: S314 - our own answer
    return f"{status} {len(_door().submitted)}"


def commands() -> Mapping[str, bytes]:
    """Requests of each kind and an answer."""
    asked = read_command(ECHO_RQ)
    reply = write_response(asked, SUCCESS) if isinstance(asked, Request) else b""
    action = command(
        element(0x0003, b"1.2.840.10008.1.20.1"),
        element(0x0100, struct.pack("<H", 0x0130)),
        element(0x0110, struct.pack("<H", 1)),
        element(0x0800, struct.pack("<H", 1)),
        element(0x1001, b"1.2.840.10008.1.20.1.1"),
        element(0x1008, struct.pack("<H", 1)),
    )
    return {
        "echo": ECHO_RQ,
        "store": store_rq("1.2.3"),
        "cancel": request_rq(0x0FFF),
        "action": action,
        "reply": reply,
    }


def _step(*, is_create: bool) -> Dataset:
    ds = Dataset()
    ds.PerformedProcedureStepStatus = "IN PROGRESS" if is_create else "COMPLETED"
    if is_create:
        scheduled = Dataset()
        scheduled.StudyInstanceUID = "1.2.3"
        ds.ScheduledStepAttributesSequence = Sequence([scheduled])
        ds.PerformedProcedureStepID, ds.Modality = "P1", "US"
        ds.PerformedStationAETitle = "CART"
        ds.PerformedProcedureStepStartDate = "20260101"
        ds.PerformedProcedureStepStartTime = "101010"
        return ds
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260101", "111111"
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.1", "1.2.3.4"
    series.ReferencedImageSequence = Sequence([image])
    ds.PerformedSeriesSequence = Sequence([series])
    return ds


def steps() -> Mapping[str, bytes]:
    """A step that is created and one that ends, in each syntax."""
    return {
        f"{'create' if is_create else 'end'}_{number}": bytes((number | 4 * is_create,))
        + write_set(_step(is_create=is_create), syntax)
        for number, syntax in enumerate(SYNTAXES)
        for is_create in (False, True)
    }


def requests() -> Mapping[str, bytes]:
    """A request for the commitment of two instances, in each syntax."""
    ds = Dataset()
    ds.TransactionUID = "1.2.9"
    items = [Dataset(), Dataset()]
    for number, item in enumerate(items):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.1", f"1.2.3.{number}"
    ds.ReferencedSOPSequence = Sequence(items)
    return {
        f"two_{number}": bytes((number,)) + write_set(ds, syntax)
        for number, syntax in enumerate(SYNTAXES)
    }


def answers() -> Mapping[str, bytes]:
    """An acceptance by our own acceptor, and the answer to a C-STORE."""
    from tests.fuzz.conversations import Nowhere
    from tests.service.receive.door import associate_rq, p_data, pdv

    written = Nowhere()
    from sonogate.receive.connection import Connection

    async def accepted() -> None:
        connection = Connection(gate().acceptor)
        connection.connection_made(written)
        rq = associate_rq()
        gate().acceptor.buffer[: len(rq)] = rq
        connection.buffer_updated(len(rq))
        connection.connection_lost(None)

    gate().loop.run_until_complete(accepted())
    asked = read_command(store_rq("1.2.3"))
    status = write_response(asked, SUCCESS) if isinstance(asked, Request) else b""
    return {"accepted": b"\1" + bytes(written.written), "stored": b"\0" + p_data(pdv(1, 3, status))}


def uploads() -> Mapping[str, bytes]:
    """One object, two of which the second is none; answered in JSON and in XML."""
    from tests.service.api.test_stow import TYPE, dicom, multipart

    json, xml = f"{TYPE}\n*/*\n\n".encode(), f"{TYPE}\napplication/dicom+xml\n\n".encode()
    return {
        "one": json + multipart(dicom()),
        "two": xml + multipart(dicom("1.2.4"), b"noise"),
        "png": xml + multipart(dicom(), content_type="image/png"),
    }
