"""The PDUs an acceptor writes itself, and how long a received one may be (PS3.8 section 9.3).

They are a few fixed bytes each; the association PDUs with items in them are pynetdicom's
(`negotiation`).
"""

import struct
from typing import Final

from sonogate.receive.upper_layer import AbortReason, AbortSource, Event
from sonogate.settings import KIB

MAX_ASSOCIATE_BYTES: Final = 64 * KIB
"""Largest association PDU; a proposal of all 128 contexts with 20 syntaxes each fits."""
P_DATA_SLACK_BYTES: Final = KIB
"""Some senders count headers differently; a PDU this far over what we advertised is still taken."""
_FIXED_PDU_BYTES: Final = 4  # A-ASSOCIATE-RJ, A-RELEASE, A-ABORT (PS3.8 Tables 9-21 to 9-26)

A_RELEASE_RP: Final = struct.pack(">BxL4x", 0x06, _FIXED_PDU_BYTES)

_ABORT = struct.Struct(">BxLxxBB")
_P_DATA = struct.Struct(">BxLLBB")
_PDV_OVERHEAD = 6  # item length, context id, message control header
_COMMAND, _LAST = 0x01, 0x02


def max_length(event: Event, max_pdu_bytes: int) -> int:
    """Return the largest length field taken in a PDU of this kind.

    Args:
        event: Its arrival.
        max_pdu_bytes: Largest P-DATA-TF we advertised.
    """
    if event is Event.P_DATA_RECEIVED:
        return max_pdu_bytes + P_DATA_SLACK_BYTES
    if event in (Event.ASSOCIATE_RQ_RECEIVED, Event.ASSOCIATE_AC_RECEIVED):
        return MAX_ASSOCIATE_BYTES
    return _FIXED_PDU_BYTES


def a_abort(source: AbortSource, reason: AbortReason) -> bytes:
    """Write an A-ABORT."""
    return _ABORT.pack(0x07, _FIXED_PDU_BYTES, source, reason)


def p_data(
    context_id: int, message: bytes, max_peer_pdu_bytes: int, *, is_command: bool = True
) -> bytes:
    """Write a command set or a data set as P-DATA-TF.

    Args:
        context_id: Presentation context of the message.
        message: The command set, or the data set.
        max_peer_pdu_bytes: Largest P-DATA-TF the peer takes; 0 is any. More PDUs if it asks for it.
        is_command: Which of the two it is.
    """
    room = max(max_peer_pdu_bytes - _PDV_OVERHEAD, 1) if max_peer_pdu_bytes else len(message)
    kind = _COMMAND if is_command else 0
    pdus = []
    for start in range(0, len(message), room):
        piece = message[start : start + room]
        control = kind | (_LAST if start + room >= len(message) else 0)
        pdus.append(_P_DATA.pack(0x04, len(piece) + 6, len(piece) + 2, context_id, control) + piece)
    return b"".join(pdus)
