"""Storage Commitment Push Model, SCP (PS3.4 Annex J): read N-ACTION, write N-EVENT-REPORT."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from sonogate.domain.commitment import (
    CommitmentItem,
    CommitmentOutcome,
    CommitmentReport,
    CommitmentRequest,
    Commitments,
    SendReport,
)
from sonogate.errors import MalformedObjectError
from sonogate.receive.c_store import AcceptedContext, Sender
from sonogate.receive.datasets import items_of, read_set, text_of, write_set
from sonogate.receive.dimse import Request
from sonogate.receive.part10 import check_uid
from sonogate.receive.status import SUCCESS, Answer, DimseStatus

PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The well-known SOP Instance that requests and reports are about (PS3.4 J.3.5)."""
REQUEST_COMMITMENT: Final = 1
"""Action Type ID (PS3.4 J.3.2)."""
ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs (PS3.4 J.3.3)."""

ANSWERS: Final[Mapping[CommitmentOutcome, Answer]] = {
    CommitmentOutcome.TAKEN: SUCCESS,
    CommitmentOutcome.REPEATED: SUCCESS,
    CommitmentOutcome.CONFLICT: Answer(
        DimseStatus.INVALID_ARGUMENT_VALUE, "This Transaction UID asked for other instances."
    ),
    CommitmentOutcome.CROWDED: Answer(
        DimseStatus.RESOURCE_LIMITATION, "Too many requests wait for their report; ask later."
    ),
}


class CommitmentAction:
    """One N-ACTION: asks that what it names be kept for good."""

    def __init__(
        self,
        commitments: Commitments,
        sender: Sender,
        request: Request,
        context: AcceptedContext,
        reply: SendReport,
    ) -> None:
        self._commitments = commitments
        self._sender = sender
        self._request = request
        self._context = context
        self._reply = reply

    async def perform(self, data_set: bytes) -> Answer:
        """Answer once the request is durable; its report follows."""
        if self._request.action_type_id != REQUEST_COMMITMENT:
            return Answer(DimseStatus.NO_SUCH_ACTION_TYPE)
        if self._request.sop_instance_uid != PUSH_MODEL_INSTANCE:
            return Answer(DimseStatus.NO_SUCH_OBJECT_INSTANCE)
        try:
            asked = await asyncio.to_thread(self._read, data_set)
        except Exception as error:  # noqa: BLE001 - boundary: pydicom raises anything
            return Answer(DimseStatus.INVALID_ARGUMENT_VALUE, _words(error))
        return ANSWERS[await self._commitments.take(asked, self._reply)]

    def _read(self, data_set: bytes) -> CommitmentRequest:
        asked = read_set(data_set, self._context.transfer_syntax)
        transaction_uid = text_of(asked, "TransactionUID")
        check_uid("Transaction UID", transaction_uid)
        items = tuple(_item(each) for each in items_of(asked, "ReferencedSOPSequence"))
        if not items:
            raise MalformedObjectError("No instance is named.")
        return CommitmentRequest(
            transaction_uid=transaction_uid,
            calling_ae=self._sender.calling_ae,
            called_ae=self._sender.called_ae,
            peer_address=self._sender.peer_address,
            items=tuple(dict.fromkeys(items)),
            received_at=datetime.now(UTC),
        )


def event_type(report: CommitmentReport) -> int:
    """Return the Event Type ID of a report."""
    return ALL_COMMITTED if report.is_complete else SOME_FAILED


def write_report(report: CommitmentReport, transfer_syntax_uid: str) -> bytes:
    """Write a report's data set (PS3.4 Table J.3-2)."""
    return write_set(report_set(report), transfer_syntax_uid)


def report_set(report: CommitmentReport) -> Dataset:
    """Make a report's data set: what is committed, and what is not, with the reason."""
    said = Dataset()
    said.TransactionUID = report.transaction_uid
    failed = [_reference(item, reason) for item, reason in report.items if reason is not None]
    kept = [_reference(item, None) for item, reason in report.items if reason is None]
    if failed:
        said.FailedSOPSequence = Sequence(failed)
    if kept:
        said.ReferencedSOPSequence = Sequence(kept)
    return said


def _reference(item: CommitmentItem, reason: int | None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = item.sop_class_uid
    reference.ReferencedSOPInstanceUID = item.sop_instance_uid
    if reason is not None:
        reference.FailureReason = int(reason)
    return reference


def _item(reference: Dataset) -> CommitmentItem:
    item = CommitmentItem(
        sop_class_uid=text_of(reference, "ReferencedSOPClassUID"),
        sop_instance_uid=text_of(reference, "ReferencedSOPInstanceUID"),
    )
    check_uid("Referenced SOP Class UID", item.sop_class_uid)
    check_uid("Referenced SOP Instance UID", item.sop_instance_uid)
    return item


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, MalformedObjectError) else "The data set is unreadable."
