"""Modality Performed Procedure Step, SCP: N-CREATE and N-SET (PS3.4 Annex F)."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from pydicom.dataset import Dataset

from sonogate.domain.procedure import (
    FINAL_ATTRIBUTES,
    StepMessage,
    StepOutcome,
    Steps,
    StepStatus,
)
from sonogate.errors import MalformedObjectError
from sonogate.receive.c_store import AcceptedContext, Sender
from sonogate.receive.datasets import items_of, read_set, text_of
from sonogate.receive.dimse import CommandField, Request
from sonogate.receive.part10 import check_uid
from sonogate.receive.status import SUCCESS, Answer, DimseStatus

MAY_NO_LONGER_BE_UPDATED: Final = 0xA710
"""Error ID of an N-SET to a final step (PS3.4 Table F.7.2-2)."""

CREATE_ATTRIBUTES: Final = (
    "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
)
"""Type 1 of an N-CREATE (PS3.4 Table F.7.2-1)."""

ANSWERS: Final[Mapping[StepOutcome, Answer]] = {
    StepOutcome.TAKEN: SUCCESS,
    StepOutcome.REPEATED: SUCCESS,
    StepOutcome.DUPLICATE: Answer(DimseStatus.DUPLICATE_SOP_INSTANCE),
    StepOutcome.UNKNOWN: Answer(
        DimseStatus.NO_SUCH_OBJECT_INSTANCE, "No such performed procedure step was created here."
    ),
    StepOutcome.FINAL: Answer(
        DimseStatus.PROCESSING_FAILURE,
        "Performed Procedure Step Object may no longer be updated",
        MAY_NO_LONGER_BE_UPDATED,
    ),
    StepOutcome.INCOMPLETE: Answer(
        DimseStatus.MISSING_ATTRIBUTE_VALUE, "Completed without end date, end time and series."
    ),
    StepOutcome.CROWDED: Answer(
        DimseStatus.RESOURCE_LIMITATION, "Too many steps are in progress; see mpps settings."
    ),
}


class _RefusalError(Exception):
    """The message can't be taken; the answer says why."""

    def __init__(self, status: DimseStatus, comment: str) -> None:
        super().__init__(comment)
        self.answer = Answer(status, comment)


class StepOperation:
    """One N-CREATE or N-SET."""

    def __init__(
        self, steps: Steps, sender: Sender, request: Request, context: AcceptedContext
    ) -> None:
        self._steps = steps
        self._sender = sender
        self._request = request
        self._context = context

    async def perform(self, data_set: bytes) -> Answer:
        """Answer once the step's new state is durable."""
        try:
            message = await asyncio.to_thread(self._read, data_set)
        except _RefusalError as refusal:
            return refusal.answer
        except MalformedObjectError as error:
            return Answer(DimseStatus.INVALID_ATTRIBUTE_VALUE, str(error))
        except Exception:  # noqa: BLE001 - boundary: pydicom raises anything on hostile bytes
            return Answer(DimseStatus.PROCESSING_FAILURE, "The data set is unreadable.")
        return ANSWERS[await self._steps.take(message)]

    def _read(self, octets: bytes) -> StepMessage:
        is_create = self._request.command_field == CommandField.N_CREATE
        check_uid("SOP Instance UID", self._request.sop_instance_uid)
        data_set = read_set(octets, self._context.transfer_syntax)
        if is_create:
            _require_created(data_set)
        return StepMessage(
            step_uid=self._request.sop_instance_uid,
            is_create=is_create,
            status=_status(data_set, is_create=is_create),
            study_uids=_study_uids(data_set) if is_create else (),
            references=_references(data_set),
            said=frozenset(_said(data_set)),
            calling_ae=self._sender.calling_ae,
            received_at=datetime.now(UTC),
            transfer_syntax_uid=self._context.transfer_syntax,
            data_set=octets,
            sha256=hashlib.sha256(octets).hexdigest(),
        )


def named(request: Request) -> Request:
    """Name the step of an N-CREATE that left that to us (PS3.7 10.1.5.1.4)."""
    if request.command_field != CommandField.N_CREATE or request.sop_instance_uid:
        return request
    return replace(request, sop_instance_uid=f"2.25.{uuid4().int}")


def _require_created(data_set: Dataset) -> None:
    for keyword in CREATE_ATTRIBUTES:
        if keyword not in data_set:
            raise _RefusalError(DimseStatus.MISSING_ATTRIBUTE, f"{keyword} is missing.")
        if not data_set.get(keyword):
            raise _RefusalError(DimseStatus.MISSING_ATTRIBUTE_VALUE, f"{keyword} is empty.")


def _status(data_set: Dataset, *, is_create: bool) -> StepStatus:
    text = text_of(data_set, "PerformedProcedureStepStatus") or StepStatus.IN_PROGRESS.value
    try:
        status = StepStatus(text)
    except ValueError as error:
        raise MalformedObjectError("The status is none that a step can have.") from error
    if is_create and status is not StepStatus.IN_PROGRESS:
        raise MalformedObjectError("A step is created IN PROGRESS (PS3.4 F.7.2.1.2).")
    return status


def _study_uids(data_set: Dataset) -> tuple[str, ...]:
    found = []
    for item in items_of(data_set, "ScheduledStepAttributesSequence"):
        uid = text_of(item, "StudyInstanceUID")
        if not uid:
            raise _RefusalError(DimseStatus.MISSING_ATTRIBUTE_VALUE, "StudyInstanceUID is empty.")
        check_uid("Study Instance UID", uid)
        found.append(uid)
    return tuple(dict.fromkeys(found))


def _references(data_set: Dataset) -> tuple[str, ...] | None:
    if "PerformedSeriesSequence" not in data_set:
        return None
    return tuple(dict.fromkeys(_referenced(data_set)))


def _referenced(data_set: Dataset) -> Iterator[str]:
    for series in items_of(data_set, "PerformedSeriesSequence"):
        for sequence in (
            "ReferencedImageSequence",
            "ReferencedNonImageCompositeSOPInstanceSequence",
        ):
            for item in items_of(series, sequence):
                uid = text_of(item, "ReferencedSOPInstanceUID")
                check_uid("Referenced SOP Instance UID", uid)
                yield uid


def _said(data_set: Dataset) -> Iterator[str]:
    for keyword in FINAL_ATTRIBUTES[StepStatus.COMPLETED]:
        if data_set.get(keyword):
            yield keyword
