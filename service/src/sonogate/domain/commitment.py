"""Storage Commitment (PS3.4 Annex J): who asks, for what, and what may be answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol


class FailureReason(IntEnum):
    """Failure Reason (0008,1197) of an object that is not committed (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentItem:
    """One object that is asked for."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """One N-ACTION: is this kept for good?"""

    transaction_uid: str
    calling_ae: str
    called_ae: str
    peer_address: str  #: IP address, no port
    items: tuple[CommitmentItem, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentReport:
    """The N-EVENT-REPORT that answers a request."""

    transaction_uid: str
    items: tuple[tuple[CommitmentItem, FailureReason | None], ...]  #: None: committed

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is committed (event type 1, else 2)."""
        return all(reason is None for _item, reason in self.items)


SendReport = Callable[[CommitmentReport], Awaitable[int | None]]
"""Sends a report the way its request came; returns the status answered, None if none was."""


class CommitmentOutcome(IntEnum):
    """What became of a request."""

    TAKEN = 1
    REPEATED = 2  #: the same transaction of the same sender is known
    CONFLICT = 3  #: that transaction asked for something else
    CROWDED = 4  #: too many wait for their answer


class Commitments(Protocol):
    """Takes requests and sees to it that each is answered."""

    async def take(self, request: CommitmentRequest, reply: SendReport) -> CommitmentOutcome:
        """Return once the request is durable; `reply` serves while its association is open."""
        ...
