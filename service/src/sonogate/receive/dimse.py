"""DIMSE command sets: read a request, write its answer (PS3.7 section 6.3 and Annex E).

A command set is a handful of short elements, always Implicit VR Little Endian, and one is read for
every object; so they are read by hand, fifty times faster than as a data set. The tests hold this
against pynetdicom's codec.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sonogate.receive.status import Answer, DimseStatus
from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError

MAX_COMMAND_BYTES: Final = 16 * 1024
"""Byte budget of one command set; real ones are under 400 bytes."""

NO_DATA_SET: Final = 0x0101
_DATA_SET: Final = 0x0001
_RESPONSE: Final = 0x8000
_NO_STATUS: Final = 0x0110
_ELEMENT: Final = struct.Struct("<HHL")
_US: Final = struct.Struct("<H")
_UL: Final = struct.Struct("<L")
_MAX_COMMENT: Final = 64  # VR LO


class CommandField(IntEnum):
    """Requests by their code (PS3.7 Table E.1-1)."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150
    C_CANCEL = 0x0FFF


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 Table E.1-1)."""

    COMMAND_GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    COMMAND_DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    ERROR_ID = 0x0903
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REQUESTED_SOP_INSTANCE_UID = 0x1001
    EVENT_TYPE_ID = 0x1002
    ACTION_TYPE_ID = 0x1008


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One DIMSE request, as far as an answer needs it."""

    command_field: int
    message_id: int
    sop_class_uid: str  #: affected, else requested; empty if the command has none
    sop_instance_uid: str  #: likewise
    has_data_set: bool
    action_type_id: int | None = None  #: of an N-ACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The peer's answer to a request of ours."""

    message_id: int  #: of the request; 0, which none has, if it doesn't say
    status: int  #: a failure if it doesn't say
    has_data_set: bool


def read_command(command: bytes | bytearray) -> Request | Reply:
    """Read a command set.

    Raises:
        ProtocolViolationError: It is not one, or its group length is wrong.
    """
    elements = dict(_elements(command))
    if elements.get(Element.COMMAND_GROUP_LENGTH) != _rest_length(command):
        raise ProtocolViolationError(AbortReason.INVALID_PARAMETER, "command group length is wrong")
    command_field = _number(elements, Element.COMMAND_FIELD)
    if command_field & _RESPONSE:
        answers = Element.MESSAGE_ID_BEING_RESPONDED_TO
        return Reply(
            message_id=_number(elements, answers) if answers in elements else 0,
            status=_number(elements, Element.STATUS) if Element.STATUS in elements else _NO_STATUS,
            has_data_set=_number(elements, Element.COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
        )
    return _request(elements, command_field)


def read_request(command: bytes | bytearray) -> Request:
    """Read a command set that must be a request.

    Raises:
        ProtocolViolationError: It is not one, its group length is wrong, or it is not a request.
    """
    read = read_command(command)
    if isinstance(read, Reply):
        raise ProtocolViolationError(AbortReason.UNEXPECTED_PARAMETER, "a response to no request")
    return read


def _request(elements: Mapping[int, bytes], command_field: int) -> Request:
    has_action = Element.ACTION_TYPE_ID in elements
    is_cancel = command_field == CommandField.C_CANCEL
    return Request(
        command_field=command_field,
        message_id=0 if is_cancel else _number(elements, Element.MESSAGE_ID),
        sop_class_uid=_uid(
            elements, Element.AFFECTED_SOP_CLASS_UID, Element.REQUESTED_SOP_CLASS_UID
        ),
        sop_instance_uid=_uid(
            elements, Element.AFFECTED_SOP_INSTANCE_UID, Element.REQUESTED_SOP_INSTANCE_UID
        ),
        has_data_set=_number(elements, Element.COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
        action_type_id=_number(elements, Element.ACTION_TYPE_ID) if has_action else None,
    )


def _rest_length(command: bytes | bytearray) -> bytes:
    """What the group length element must hold: the bytes after itself."""
    return (len(command) - _ELEMENT.size - _UL.size).to_bytes(_UL.size, "little", signed=True)


def _elements(command: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    position, end = 0, len(command)
    while position + _ELEMENT.size <= end:
        group, element, length = _ELEMENT.unpack_from(command, position)
        position += _ELEMENT.size
        if group != 0 or length > end - position:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "an element does not fit its command set"
            )
        yield element, bytes(command[position : position + length])
        position += length
    if position != end:
        raise ProtocolViolationError(AbortReason.INVALID_PARAMETER, "command set is cut off")


def _number(elements: Mapping[int, bytes], element: Element) -> int:
    value = elements.get(element, b"")
    if len(value) != _US.size:
        raise ProtocolViolationError(
            AbortReason.INVALID_PARAMETER, f"{element.name} is missing or no number"
        )
    return int(_US.unpack(value)[0])


def _uid(elements: Mapping[int, bytes], affected: Element, requested: Element) -> str:
    value = elements.get(affected) or elements.get(requested) or b""
    return value.rstrip(b"\0 ").lstrip(b" ").decode("latin-1")


def write_response(request: Request, answer: Answer) -> bytes:
    """Return the command set that answers `request`; it never carries a data set."""
    body = bytearray()
    if request.sop_class_uid:
        body += _text(Element.AFFECTED_SOP_CLASS_UID, request.sop_class_uid, b"\0")
    body += _short(Element.COMMAND_FIELD, request.command_field | _RESPONSE)
    body += _short(Element.MESSAGE_ID_BEING_RESPONDED_TO, request.message_id)
    body += _short(Element.COMMAND_DATA_SET_TYPE, NO_DATA_SET)
    body += _short(Element.STATUS, answer.status)
    if answer.comment and answer.status != DimseStatus.SUCCESS:
        body += _text(Element.ERROR_COMMENT, answer.comment[:_MAX_COMMENT], b" ")
    if answer.error_id is not None:
        body += _short(Element.ERROR_ID, answer.error_id)
    if request.sop_instance_uid:
        body += _text(Element.AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid, b"\0")
    return _with_length(body)


def write_event_report(
    sop_class_uid: str, sop_instance_uid: str, *, message_id: int, event_type_id: int
) -> bytes:
    """Return the command set of an N-EVENT-REPORT request with a data set (PS3.7 10.1.1)."""
    return _with_length(
        _text(Element.AFFECTED_SOP_CLASS_UID, sop_class_uid, b"\0")
        + _short(Element.COMMAND_FIELD, CommandField.N_EVENT_REPORT)
        + _short(Element.MESSAGE_ID, message_id)
        + _short(Element.COMMAND_DATA_SET_TYPE, _DATA_SET)
        + _text(Element.AFFECTED_SOP_INSTANCE_UID, sop_instance_uid, b"\0")
        + _short(Element.EVENT_TYPE_ID, event_type_id)
    )


def _with_length(body: bytes | bytearray) -> bytes:
    length = _ELEMENT.pack(0, Element.COMMAND_GROUP_LENGTH, _UL.size) + _UL.pack(len(body))
    return length + bytes(body)


def _short(element: Element, number: int) -> bytes:
    return _ELEMENT.pack(0, element, _US.size) + _US.pack(number)


def _text(element: Element, text: str, padding: bytes) -> bytes:
    value = text.encode("latin-1", "replace")
    value += padding * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(value)) + value
