"""The envelope of a DICOM file: write its file meta information, or find the data set inside.

Only group 0002 and the first elements of group 0008 are looked at, without recursion and within
fixed bounds (PS3.10 section 7.1). A data set is never rewritten.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sonogate.errors import MalformedObjectError

IMPLEMENTATION_CLASS_UID: Final = "2.25.148149284309904263228779739761103963813"
IMPLEMENTATION_VERSION_NAME: Final = "SONOGATE"

PREAMBLE: Final = bytes(128)
"""All zeros: a preamble from outside could make the file something else too (CVE-2019-11687)."""
MAGIC: Final = b"DICM"

MAX_HEAD_BYTES: Final = 64 * 1024
"""How much of a file is looked at to find its UIDs; file meta is a few hundred bytes."""

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"

_UID: Final = re.compile(r"[!-~]{1,128}")
"""Printable, up to twice what PS3.5 allows: a cart with odd UIDs is heard, an absurd one is not."""

_LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_META_CLASS, _META_INSTANCE, _META_SYNTAX = (2, 0x0002), (2, 0x0003), (2, 0x0010)
_SOP_CLASS, _SOP_INSTANCE = (8, 0x0016), (8, 0x0018)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """What names an object and says how it is written."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int  #: bytes from the start of the file


def check_uid(name: str, uid: str) -> None:
    """Refuse what can't be a UID.

    Raises:
        MalformedObjectError: It is empty, absurdly long, or not all printable.
    """
    if not uid:
        raise MalformedObjectError(f"There is no {name}.")
    if not _UID.fullmatch(uid):
        raise MalformedObjectError(f"{name} is not a UID.")


def file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str
) -> bytes:
    """Return preamble, prefix and file meta information; the data set follows as it is."""
    elements = b"".join(
        (
            struct.pack("<HH2s2xL2s", 2, 0x0001, b"OB", 2, b"\x00\x01"),
            _short_element(0x0002, b"UI", sop_class_uid, b"\0"),
            _short_element(0x0003, b"UI", sop_instance_uid, b"\0"),
            _short_element(0x0010, b"UI", transfer_syntax_uid, b"\0"),
            _short_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _short_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
            _short_element(0x0016, b"AE", source_ae, b" "),
        )
    )
    length = struct.pack("<HH2sHL", 2, 0x0000, b"UL", 4, len(elements))
    return PREAMBLE + MAGIC + length + elements


def _short_element(element: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("latin-1", "replace")
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def read_head(head: bytes) -> ObjectHead:
    """Read the names of a Part 10 file, or of a bare data set, from its first bytes.

    The data set's own UIDs count, as a C-STORE of it would carry them; the file meta's where it has
    none.

    Args:
        head: The first `MAX_HEAD_BYTES` of the file, or all of it.

    Raises:
        MalformedObjectError: It is no DICOM object, or has no SOP Instance UID.
    """
    start = 132 if head[128:132] == MAGIC else 0
    meta: dict[tuple[int, int], bytes] = {}
    offset = start
    if head[start : start + 2] == b"\x02\x00":
        for tag, value, end in _walk(head, start, "<", is_explicit=True):
            if tag[0] != 2:
                break
            meta[tag], offset = value, end
    syntax = _text(meta.get(_META_SYNTAX)) or _guess_syntax(head[offset:])
    own = _own_uids(head, offset, syntax)
    sop_instance_uid = own.get(_SOP_INSTANCE) or _text(meta.get(_META_INSTANCE))
    if not sop_instance_uid:
        raise MalformedObjectError(
            "No SOP Instance UID; send a DICOM file, or a PNG or JPEG image."
        )
    return ObjectHead(
        sop_class_uid=own.get(_SOP_CLASS) or _text(meta.get(_META_CLASS)),
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=syntax,
        data_set_offset=offset,
    )


def plain_value(head: bytes, names: ObjectHead, wanted: tuple[int, int]) -> str | None:
    """Return the text of a top-level element; None if what lies before it can't be stepped over.

    Args:
        head: The first bytes of the file.
        names: What `read_head` told of them.
        wanted: (group, element); empty text if the data set goes past it without it.
    """
    syntax = names.transfer_syntax_uid
    if syntax == DEFLATED:
        return None
    byte_order = ">" if syntax == EXPLICIT_BIG else "<"
    is_explicit = syntax != IMPLICIT_LITTLE
    for tag, value, _end in _walk(head, names.data_set_offset, byte_order, is_explicit=is_explicit):
        if tag >= wanted:
            return _text(value) if tag == wanted else ""
    return None


def _own_uids(head: bytes, offset: int, syntax: str) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    if syntax == DEFLATED:
        return found
    byte_order = ">" if syntax == EXPLICIT_BIG else "<"
    for tag, value, _end in _walk(head, offset, byte_order, is_explicit=syntax != IMPLICIT_LITTLE):
        if tag > _SOP_INSTANCE:
            break
        if tag in (_SOP_CLASS, _SOP_INSTANCE):
            found[tag] = _text(value)
    return found


def _guess_syntax(data_set: bytes) -> str:
    if len(data_set) < 8 or not data_set[1] == 0 < data_set[0] <= 0x20:
        raise MalformedObjectError("Not a DICOM object: no DICM prefix and no data set either.")
    return (
        EXPLICIT_LITTLE if data_set[4:6].isalpha() and data_set[4:6].isupper() else IMPLICIT_LITTLE
    )


def _walk(
    head: bytes, offset: int, byte_order: str, *, is_explicit: bool
) -> Iterator[tuple[tuple[int, int], bytes, int]]:
    """Yield (tag, value, offset after it) of top-level elements; ends where it can't go on."""
    while offset + 8 <= len(head):
        group, element = struct.unpack_from(byte_order + "HH", head, offset)
        value_offset, length = _value_place(head, offset, byte_order, is_explicit=is_explicit)
        end = value_offset + length
        if end > len(head):
            return
        yield (group, element), head[value_offset:end], end
        offset = end


def _value_place(
    head: bytes, offset: int, byte_order: str, *, is_explicit: bool
) -> tuple[int, int]:
    if not is_explicit:
        return offset + 8, int(struct.unpack_from(byte_order + "L", head, offset + 4)[0])
    if head[offset + 4 : offset + 6] not in _LONG_VRS:
        return offset + 8, int(struct.unpack_from(byte_order + "H", head, offset + 6)[0])
    if offset + 12 > len(head):
        return len(head), 1
    return offset + 12, int(struct.unpack_from(byte_order + "L", head, offset + 8)[0])


def _text(value: bytes | None) -> str:
    return (value or b"").strip(b"\0 ").decode("latin-1")
