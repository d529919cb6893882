"""C-STORE: keep the instance, commit its row, and only then answer Success (PS3.4 Annex B)."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sonogate.domain.identity import AETitle, SOPInstanceUID
from sonogate.domain.instance import Kept, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.errors import MalformedObjectError, ReceiveError
from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.deposit import Deposit
from sonogate.receive.dimse import Request
from sonogate.receive.keeping import keep_row, result_of
from sonogate.receive.part10 import file_meta
from sonogate.receive.spool_file import SpooledObject
from sonogate.receive.status import SUCCESS, Answer, DimseStatus, answer_to

_UID: Final = re.compile(r"[!-~]{1,128}")
"""Printable, up to twice what PS3.5 allows: a cart with odd UIDs is heard, an absurd one is not."""

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who is at the other end of an association."""

    calling_ae: AETitle
    called_ae: AETitle
    peer_address: str  #: IP address, no port


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedContext:
    """A presentation context both sides agreed on."""

    abstract_syntax: str
    transfer_syntax: str


class StoreOperation:
    """One C-STORE request from its command set to its answer."""

    def __init__(
        self,
        acceptor: Acceptor,
        sender: Sender,
        request: Request,
        context: AcceptedContext,
        on_drained: Callable[[], None],
    ) -> None:
        self._acceptor = acceptor
        self._sender = sender
        self._request = request
        self._context = context
        self._deposit: Deposit | None = None
        self._error: ReceiveError | None = None
        try:
            self._deposit = self._open(on_drained)
        except ReceiveError as error:
            self._error = error

    @property
    def is_behind(self) -> bool:
        """Whether the disk is slower than the sender."""
        return self._deposit is not None and self._deposit.is_behind

    def add(self, fragment: memoryview) -> None:
        """Take a piece of the data set; dropped if the object is refused already."""
        if self._deposit is not None:
            self._deposit.add(fragment)

    def abandon(self) -> None:
        """Drop the object: its association ended before its last byte."""
        if self._deposit is not None:
            self._deposit.abandon()

    async def finish(self) -> Answer:
        """Return the answer, once the object is durable or refused."""
        started = time.perf_counter()
        received_at = datetime.now(UTC)
        try:
            spooled = await self._finish_deposit()
            instance = self._instance(spooled, received_at)
            kept = await keep_row(self._acceptor.spool, self._acceptor.keeper, instance)
        except ReceiveError as error:
            return self._refused(answer_to(error), error)
        except Exception as error:  # noqa: BLE001 - boundary: the association goes on
            failure = Answer(DimseStatus.PROCESSING_FAILURE, "The gate could not keep the object.")
            return self._refused(failure, error)
        self._count(kept, spooled.size_bytes, time.perf_counter() - started)
        return SUCCESS

    def _open(self, on_drained: Callable[[], None]) -> Deposit:
        _check_uid("SOP Instance UID", self._request.sop_instance_uid)
        _check_uid("SOP Class UID", self._request.sop_class_uid)
        if not self._request.has_data_set:
            raise MalformedObjectError("There is no data set.")
        self._acceptor.spool.require_room()
        head = file_meta(
            sop_class_uid=self._request.sop_class_uid,
            sop_instance_uid=self._request.sop_instance_uid,
            transfer_syntax_uid=self._context.transfer_syntax,
            source_ae=self._sender.calling_ae,
        )
        return Deposit(self._acceptor.spool, head, on_drained)

    async def _finish_deposit(self) -> SpooledObject:
        if self._deposit is None:
            raise self._error or MalformedObjectError
        return await self._deposit.finish()

    def _instance(self, spooled: SpooledObject, received_at: datetime) -> ReceivedInstance:
        return ReceivedInstance(
            object_id=spooled.object_id,
            media_type=MediaType.DICOM,
            sop_class_uid=self._request.sop_class_uid,
            sop_instance_uid=SOPInstanceUID(self._request.sop_instance_uid),
            transfer_syntax_uid=self._context.transfer_syntax,
            content_sha256=spooled.content_sha256,
            size_bytes=spooled.size_bytes,
            spool_name=spooled.spool_name,
            provenance=Provenance(
                calling_ae=self._sender.calling_ae,
                called_ae=self._sender.called_ae,
                peer_address=self._sender.peer_address,
                transport=Transport.DIMSE,
                received_at=received_at,
            ),
        )

    def _count(self, kept: Kept, size_bytes: int, seconds: float) -> None:
        metrics = self._acceptor.metrics
        calling_ae = metrics.ae(self._sender.calling_ae)
        metrics.received.labels(calling_ae, result_of(kept)).inc()
        metrics.received_bytes.labels(calling_ae).inc(size_bytes)
        metrics.keep_seconds.observe(seconds)

    def _refused(self, answer: Answer, error: Exception) -> Answer:
        metrics = self._acceptor.metrics
        metrics.received.labels(metrics.ae(self._sender.calling_ae), "refused").inc()
        log.warning(
            "object_refused",
            calling_ae=self._sender.calling_ae,
            status=f"0x{answer.status:04X}",
            exception_type=type(error).__name__,
        )
        return answer


def _check_uid(name: str, uid: str) -> None:
    if not uid:
        raise MalformedObjectError(f"The command has no {name}.")
    if not _UID.fullmatch(uid):
        raise MalformedObjectError(f"{name} is not a UID.")
