"""What a destination's answer means for an object; the tables of DIMSE and HTTP statuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sonogate.errors import GateError


class Fate(Enum):
    """What is done with an object after an answer."""

    TAKEN = "taken"  #: the destination has it
    REFUSED = "refused"  #: it never will as things are: alarm, and wait for a person
    AT_FAULT = "at_fault"  #: this object failed, others need not wait for it; a few tries more
    BUSY = "busy"  #: the destination takes nothing now; it is tried again, and nothing overtakes


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer, sorted; `reason` is a label of a closed set."""

    fate: Fate
    reason: str


class DestinationError(GateError):
    """A destination failed as a whole; what was not answered is tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The destination failed: {reason}.")
        self.reason = reason


STORED: Final = Outcome(Fate.TAKEN, "stored")
DUPLICATE: Final = Outcome(Fate.TAKEN, "duplicate")
WARNING: Final = Outcome(Fate.TAKEN, "warning")
BYTES_GONE: Final = Outcome(Fate.REFUSED, "bytes_gone")
OWN_DISK: Final = Outcome(Fate.BUSY, "own_disk")
TRANSFER_SYNTAX: Final = Outcome(Fate.REFUSED, "transfer_syntax")
SOP_CLASS: Final = Outcome(Fate.REFUSED, "sop_class")
CONTEXT: Final = Outcome(Fate.REFUSED, "context")
NOT_DECODED: Final = Outcome(Fate.REFUSED, "not_decoded")

_EXACT: Final[Mapping[int, Outcome]] = {
    0x0000: STORED,
    0x0001: WARNING,
    0x0107: WARNING,  # attribute list error
    0x0111: DUPLICATE,  # duplicate SOP instance: it is there already
    0x0116: WARNING,  # attribute value out of range
    0x0122: SOP_CLASS,
    0x0124: Outcome(Fate.BUSY, "not_authorised"),  # our name or address: no object is at fault
    0xC122: TRANSFER_SYNTAX,  # STOW-RS only (PS3.18 Table I.2-2)
    0xA771: Outcome(Fate.REFUSED, "rejected_before"),  # dcm4chee: its rejection note came first
}
_MASKED: Final[tuple[tuple[int, int, Outcome], ...]] = (
    (0xFF00, 0xA700, Outcome(Fate.BUSY, "out_of_resources")),
    (0xFF00, 0xA900, Outcome(Fate.AT_FAULT, "data_set_mismatch")),
    (0xF000, 0xB000, WARNING),  # coerced, elements discarded: stored all the same
    (0xF000, 0xC000, Outcome(Fate.AT_FAULT, "cannot_understand")),
)
_OTHER_FAILURE: Final = Outcome(Fate.AT_FAULT, "failure")


def of_dimse(status: int) -> Outcome:
    """Sort a C-STORE status (PS3.4 Table B.2-1, PS3.7 Annex C)."""
    found = _EXACT.get(status)
    if found is not None:
        return found
    return next((out for mask, code, out in _MASKED if status & mask == code), _OTHER_FAILURE)


_HTTP: Final[Mapping[int, Outcome]] = {
    200: STORED,
    202: WARNING,
    401: Outcome(Fate.BUSY, "not_authorised"),
    403: Outcome(Fate.BUSY, "not_authorised"),
    404: Outcome(Fate.BUSY, "not_found"),
    405: Outcome(Fate.BUSY, "not_found"),
    408: Outcome(Fate.BUSY, "timed_out"),
    413: Outcome(Fate.REFUSED, "too_large"),
    415: TRANSFER_SYNTAX,
    425: Outcome(Fate.BUSY, "out_of_resources"),
    429: Outcome(Fate.BUSY, "out_of_resources"),
}


def of_http(status: int) -> Outcome:
    """Sort a STOW-RS status without a word on the instance (PS3.18 Table 10.5.3-1)."""
    found = _HTTP.get(status)
    if found is not None:
        return found
    if status >= 500 or 300 <= status < 400:
        return Outcome(Fate.BUSY, "server_error")
    return STORED if status < 300 else Outcome(Fate.AT_FAULT, "failure")


def of_own_bytes(error: OSError | ValueError) -> Outcome:
    """Say what an object comes to whose bytes we can't read: a failing disk may yet let go of them.

    A name that leads nowhere and bytes that are no object stay as they are.
    """
    is_gone = isinstance(error, (FileNotFoundError, ValueError))
    return BYTES_GONE if is_gone else OWN_DISK
