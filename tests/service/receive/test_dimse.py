"""The command set codec by hand agrees with pynetdicom's and refuses what is malformed."""

import struct
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from sonogate.receive.dimse import CommandField, read_request, write_response
from sonogate.receive.status import SUCCESS, Answer, DimseStatus
from sonogate.receive.upper_layer import ProtocolViolationError
from tests.service.receive.door import US_IMAGE, command, element, request_rq, store_rq


def written(ds: Dataset) -> bytes:
    """Encode a command set with pynetdicom."""
    return encode(ds, is_implicit_vr=True, is_little_endian=True) or b""


def understood(octets: bytes) -> Dataset:
    """Decode a command set with pynetdicom."""
    ds: Dataset = decode(BytesIO(octets), is_implicit_vr=True, is_little_endian=True)
    return ds


def store_command(**changes: object) -> Dataset:
    """A C-STORE-RQ as pynetdicom would send it."""
    ds = Dataset()
    ds.AffectedSOPClassUID = US_IMAGE
    ds.CommandField = 0x0001
    ds.MessageID = 77
    ds.Priority = 2
    ds.CommandDataSetType = 1
    ds.AffectedSOPInstanceUID = "1.2.3.45"
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.CommandGroupLength = 0
    ds.CommandGroupLength = len(written(ds)) - 12
    return ds


def test_a_request_of_pynetdicoms_codec_is_read() -> None:
    """Every field an answer needs comes out as pydicom wrote it."""
    request = read_request(written(store_command()))

    assert CommandField.C_STORE == request.command_field
    assert (77, US_IMAGE, "1.2.3.45") == (
        request.message_id,
        request.sop_class_uid,
        request.sop_instance_uid,
    )
    assert request.has_data_set


def test_a_response_is_read_by_pynetdicoms_codec() -> None:
    """A refusal decodes to the very elements of PS3.7 Table 9.3-2, group length included."""
    request = read_request(store_rq("1.2.3", message_id=9))
    response = write_response(request, Answer(DimseStatus.OUT_OF_RESOURCES, "No room."))
    ds = understood(response)

    assert len(response) - 12 == ds.CommandGroupLength
    assert (0x8001, 9, 0x0101, 0xA700) == (
        ds.CommandField,
        ds.MessageIDBeingRespondedTo,
        ds.CommandDataSetType,
        ds.Status,
    )
    assert (US_IMAGE, "1.2.3", "No room.") == (
        ds.AffectedSOPClassUID,
        ds.AffectedSOPInstanceUID,
        ds.ErrorComment,
    )
    assert written(ds) == response


def test_a_comment_is_cut_to_what_a_sender_may_show() -> None:
    """VR LO holds 64 characters; success says nothing."""
    request = read_request(store_rq("1.2.3"))
    long = write_response(request, Answer(DimseStatus.CANNOT_UNDERSTAND, "x" * 200))

    assert len(understood(long).ErrorComment) == 64
    assert "ErrorComment" not in understood(write_response(request, SUCCESS))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        store_rq("1.2.3")[:-1],
        store_rq("1.2.3")[12:],
        store_rq("1.2.3") + b"\0",
        store_rq("1.2.3") + struct.pack("<HHL", 8, 0x0018, 0),
        command(element(0x0100, b"\1\0"), length=0xFFFFFFFF),
        command(element(0x0100, b"\1\0"), element(0x0800, b"\1\1")),
        command(element(0x0100, b"\1"), element(0x0110, b"\1\0"), element(0x0800, b"\1\1")),
        element(0, struct.pack("<L", 0)) + struct.pack("<HHL", 0, 0x0100, 0xFFFFFFF0) + b"\1\0",
        request_rq(0x8001),
    ],
    ids=[
        "empty", "cut off", "no group length", "odd byte", "foreign group", "length lies",
        "no message id", "short number", "element of 4 GiB", "a response",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(octets: bytes) -> None:
    """Each malformation is named before anything is believed."""
    with pytest.raises(ProtocolViolationError):
        read_request(octets)
