"""What is answered to a cart: which error gets which status (PS3.4 B.2.3, PS3.7 Annex C)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from sonogate.errors import (
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
)


class DimseStatus(IntEnum):
    """The statuses the gate answers."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    INVALID_ARGUMENT_VALUE = 0x0115
    MISSING_ATTRIBUTE = 0x0120
    MISSING_ATTRIBUTE_VALUE = 0x0121
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION_TYPE = 0x0123
    UNRECOGNIZED_OPERATION = 0x0211
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    CANNOT_UNDERSTAND = 0xC000


C_STORE_STATUS: Mapping[type[ReceiveError], DimseStatus] = {
    SpoolFullError: DimseStatus.OUT_OF_RESOURCES,
    ObjectTooLargeError: DimseStatus.OUT_OF_RESOURCES,
    SpoolWriteError: DimseStatus.OUT_OF_RESOURCES,
    MalformedObjectError: DimseStatus.CANNOT_UNDERSTAND,
}
"""Every leaf of `ReceiveError`; a sender retries after 0xA700 and gives up after 0xC000."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and, for a failure, what the sender may show (Error Comment, 64 characters)."""

    status: DimseStatus
    comment: str = ""
    error_id: int | None = None  #: Error ID (0000,0903), where the standard gives the case one


SUCCESS = Answer(DimseStatus.SUCCESS)


def answer_to(error: ReceiveError) -> Answer:
    """Return the answer to a C-STORE that could not be kept."""
    for kind, status in C_STORE_STATUS.items():
        if isinstance(error, kind):
            return Answer(status, str(error))
    return Answer(DimseStatus.PROCESSING_FAILURE, str(error))
