"""C-STORE: make row and bytes durable, and only then answer Success (PS3.4 Annex B)."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sonogate.domain.identity import AETitle, SOPInstanceUID
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Transport
from sonogate.errors import MalformedObjectError, ReceiveError, SpoolWriteError
from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.dimse import Request
from sonogate.receive.part10 import check_uid, file_meta
from sonogate.receive.porter import Counted
from sonogate.receive.spool import Arrival, Deposit
from sonogate.receive.spool.files import as_receive_error
from sonogate.receive.status import SUCCESS, Answer, DimseStatus, answer_to

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
        keeping = asyncio.ensure_future(self._keep(received_at))
        await asyncio.wait((keeping,), timeout=self._acceptor.settings.keep_seconds)
        if not keeping.done():
            self._acceptor.spawn(self._go_on(keeping))
            late = SpoolWriteError("The disk stands still; send again when it works.")
            return self._refused(answer_to(late), late)
        try:
            keeping.result()
        except ReceiveError as error:
            return self._refused(answer_to(error), error)
        except OSError as error:
            return self._refused(answer_to(as_receive_error(error)), error)
        except Exception as error:  # noqa: BLE001 - boundary: the association goes on
            failure = Answer(DimseStatus.PROCESSING_FAILURE, "The gate could not keep the object.")
            return self._refused(failure, error)
        self._acceptor.porter.count(Counted.OBJECT_KEPT, value=time.perf_counter() - started)
        return SUCCESS

    async def _keep(self, received_at: datetime) -> None:
        """Make row and bytes durable, and have them announced to the database."""
        await self._acceptor.registrar.announce(await self._finish_deposit(received_at))

    async def _go_on(self, keeping: asyncio.Future[None]) -> None:
        """Let the disk keep it after all; its sender was told to send it again."""
        with suppress(ReceiveError, OSError):
            await keeping

    def _open(self, on_drained: Callable[[], None]) -> Deposit:
        check_uid("SOP Instance UID", self._request.sop_instance_uid)
        check_uid("SOP Class UID", self._request.sop_class_uid)
        if not self._request.has_data_set:
            raise MalformedObjectError("There is no data set.")
        self._acceptor.spool.require_room()
        self._acceptor.registrar.require_room()
        meta = file_meta(
            sop_class_uid=self._request.sop_class_uid,
            sop_instance_uid=self._request.sop_instance_uid,
            transfer_syntax_uid=self._context.transfer_syntax,
            source_ae=self._sender.calling_ae,
        )
        return Deposit(self._acceptor.spool, meta, on_drained)

    async def _finish_deposit(self, received_at: datetime) -> ReceivedInstance:
        if self._deposit is None:
            raise self._error or MalformedObjectError
        return await self._deposit.finish(self._arrival(received_at))

    def _arrival(self, received_at: datetime) -> Arrival:
        return Arrival(
            media_type=MediaType.DICOM,
            sop_class_uid=self._request.sop_class_uid,
            sop_instance_uid=SOPInstanceUID(self._request.sop_instance_uid),
            transfer_syntax_uid=self._context.transfer_syntax,
            provenance=Provenance(
                calling_ae=self._sender.calling_ae,
                called_ae=self._sender.called_ae,
                peer_address=self._sender.peer_address,
                transport=Transport.DIMSE,
                received_at=received_at,
            ),
        )

    def _refused(self, answer: Answer, error: Exception) -> Answer:
        self._acceptor.porter.count(Counted.OBJECT_REFUSED, self._sender.calling_ae)
        log.warning(
            "object_refused",
            calling_ae=self._sender.calling_ae,
            status=f"0x{answer.status:04X}",
            exception_type=type(error).__name__,
        )
        return answer
