"""What a storage SCU writes and reads: association PDUs by pynetdicom's items, the rest by hand.

PS3.8 section 9.3 for PDUs, PS3.7 sections 6.3 and 9.3.1 for the command sets. A data set is never
touched: it goes out as it lies in its file.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from sonogate.act.forward.outcome import DestinationError

OUR_MAX_PDU_BYTES: Final = 16 * 1024
"""Answers are under 400 bytes."""
MAX_ASSOCIATE_BYTES: Final = 64 * 1024
LARGEST_PDU_BYTES: Final = 256 * 1024
"""However much the peer takes: larger ones are no faster and cost memory."""
MAX_COMMAND_BYTES: Final = 16 * 1024
MAX_CONTEXTS: Final = 128
"""Contexts of one association (PS3.8 9.3.2.2: odd ids below 256)."""

IMPLEMENTATION_CLASS_UID: Final = "2.25.148149284309904263228779739761103963813"
IMPLEMENTATION_VERSION_NAME: Final = "SONOGATE"
_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"

ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 2, 3, 4, 5, 6, 7
A_RELEASE_RQ: Final = struct.pack(">BxL4x", RELEASE_RQ, 4)
A_RELEASE_RP: Final = struct.pack(">BxL4x", RELEASE_RP, 4)
A_ABORT: Final = struct.pack(">BxLxxBB", ABORT, 4, 0, 0)

_P_DATA: Final = struct.Struct(">BxLLBB")
_PDV: Final = struct.Struct(">LBB")
_ELEMENT: Final = struct.Struct("<HHL")
_OVERHEAD: Final = 6
_COMMAND, _LAST = 0x01, 0x02
_C_STORE_RQ: Final = 0x0001
_STATUS, _MESSAGE_ID_ANSWERED = 0x0900, 0x0120


@dataclass(frozen=True, slots=True)
class Proposal:
    """One presentation context."""

    sop_class_uid: str
    syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What the peer made of a proposal."""

    context_id: int
    result: int  #: PS3.8 Table 9-18; 0 is acceptance
    syntax: str  #: the one it chose


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """An association as agreed."""

    contexts: tuple[Agreed, ...]  #: one for each proposal, in order
    max_pdu_bytes: int  #: largest P-DATA-TF to send


def associate_rq(proposals: Sequence[Proposal], called_ae: str, calling_ae: str) -> bytes:
    """Write an A-ASSOCIATE-RQ."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(_APPLICATION_CONTEXT)
    primitive.calling_ae_title, primitive.called_ae_title = calling_ae, called_ae
    length = MaximumLengthNotification()
    length.maximum_length_received = OUR_MAX_PDU_BYTES
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    primitive.user_information = [length, implementation, version]
    contexts = []
    for number, proposal in enumerate(proposals):
        context = build_context(proposal.sop_class_uid, list(proposal.syntaxes))
        context.context_id = 2 * number + 1
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def read_associate_ac(pdu: bytes, n_proposals: int) -> Acceptance:
    """Read an A-ASSOCIATE-AC.

    Raises:
        DestinationError: It can't be read.
    """
    try:
        accepted = A_ASSOCIATE_AC()
        accepted.decode(pdu)
        primitive = accepted.to_primitive()
        results = {
            context.context_id: (
                int(context.result),
                str(context.transfer_syntax[0]) if context.transfer_syntax else "",
            )
            for context in primitive.presentation_context_definition_results_list
        }
        max_pdu_bytes = int(primitive.maximum_length_received or 0)
    except Exception as error:
        # pynetdicom's codec raises anything on hostile bytes: struct, index, key and value errors.
        raise DestinationError("protocol") from error
    contexts = []
    for context_id in range(1, 2 * n_proposals, 2):
        result, syntax = results.get(context_id, (2, ""))
        contexts.append(Agreed(context_id=context_id, result=result, syntax=syntax))
    return Acceptance(contexts=tuple(contexts), max_pdu_bytes=_bounded(max_pdu_bytes))


def rejection_of(pdu: bytes) -> str:
    """Return the reason label of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""
    try:
        rejected = A_ASSOCIATE_RJ()
        rejected.decode(pdu)
        primitive = rejected.to_primitive()
        is_permanent = primitive.result == 1
    except Exception:  # noqa: BLE001 - as above; a rejection is one, whatever its bytes
        is_permanent = True
    return "association_rejected" if is_permanent else "association_rejected_now"


def _bounded(max_pdu_bytes: int) -> int:
    """Return the PDU length to send; 0 is any."""
    if max_pdu_bytes == 0:
        return LARGEST_PDU_BYTES
    return max(_OVERHEAD + 2, min(max_pdu_bytes, LARGEST_PDU_BYTES))


def c_store_rq(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Write the command set of a C-STORE request (PS3.7 Table 9.3-1), medium priority."""
    elements = b"".join(
        (
            _text(0x0002, sop_class_uid),
            _number(0x0100, _C_STORE_RQ),
            _number(0x0110, message_id),
            _number(0x0700, 0),
            _number(0x0800, 0x0001),  # a data set follows
            _text(0x1000, sop_instance_uid),
        )
    )
    return _ELEMENT.pack(0, 0, 4) + len(elements).to_bytes(4, "little") + elements


def _number(element: int, value: int) -> bytes:
    return _ELEMENT.pack(0, element, 2) + value.to_bytes(2, "little")


def _text(element: int, text: str) -> bytes:
    value = text.encode("latin-1", "replace")
    value += b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(value)) + value


def p_data_headers(
    context_id: int, n_bytes: int, max_pdu_bytes: int, *, is_command: bool, ends: bool
) -> Iterator[tuple[bytes, int]]:
    """Yield (header, bytes that follow it) of the P-DATA-TF PDUs of a piece of a message.

    Args:
        context_id: Presentation context of the message.
        n_bytes: Length of the piece.
        max_pdu_bytes: Largest PDU the peer takes.
        is_command: It is of the command set, not of the data set.
        ends: It ends its command set or data set.
    """
    room, left = max_pdu_bytes - _OVERHEAD, n_bytes
    while left:
        n_now = min(room, left)
        left -= n_now
        control = (_COMMAND if is_command else 0) | (_LAST if ends and not left else 0)
        yield _P_DATA.pack(P_DATA, n_now + 6, n_now + 2, context_id, control), n_now


def command_pieces(pdu: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield (piece, whether it is the last) of the command set in a P-DATA-TF.

    Raises:
        DestinationError: Its lengths are wrong, or it holds no command.
    """
    offset = 6
    while offset < len(pdu):
        if offset + _OVERHEAD > len(pdu):
            raise DestinationError("protocol")
        length, _context_id, control = _PDV.unpack_from(pdu, offset)
        end = offset + 4 + length
        if length < 2 or end > len(pdu) or not control & _COMMAND:
            raise DestinationError("protocol")
        yield pdu[offset + _OVERHEAD : end], bool(control & _LAST)
        offset = end


def status_of(command: bytes, message_id: int) -> int:
    """Return the status of a C-STORE response.

    Raises:
        DestinationError: It is not the answer to this message.
    """
    found: dict[int, int] = {}
    offset = 0
    while offset + _ELEMENT.size <= len(command):
        group, element, length = _ELEMENT.unpack_from(command, offset)
        offset += _ELEMENT.size
        if group == 0 and length == 2:
            found[element] = int.from_bytes(command[offset : offset + 2], "little")
        offset += length
    if found.get(_MESSAGE_ID_ANSWERED) != message_id or _STATUS not in found:
        raise DestinationError("protocol")
    return found[_STATUS]
