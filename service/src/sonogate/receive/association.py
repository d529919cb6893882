"""One association's DIMSE service user: gather commands, carry out requests, answer each in turn.

PDVs come in from `connection`; answers go out through it. The asynchronous operations window is
declined, so one request is under way at most; while it is being answered nothing more is taken
(`is_busy`).
"""

from collections.abc import Mapping
from typing import Protocol

from sonogate.receive.acceptor import Acceptor
from sonogate.receive.c_store import AcceptedContext, Sender, StoreOperation
from sonogate.receive.contexts import VERIFICATION
from sonogate.receive.dimse import (
    MAX_COMMAND_BYTES,
    CommandField,
    Request,
    read_request,
    write_response,
)
from sonogate.receive.status import SUCCESS, Answer, DimseStatus
from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError

_COMMAND = 0x01  # message control header (PS3.8 Annex E.2)
_LAST = 0x02


class Line(Protocol):
    """The way back to the peer."""

    def send_p_data(self, context_id: int, command: bytes) -> None:
        """Send a command set; nothing happens if the association is over."""

    def proceed(self) -> None:
        """Go on reading: the request is answered, or the disk caught up."""


class Association:
    """The acceptor's side of one established association."""

    def __init__(
        self,
        acceptor: Acceptor,
        sender: Sender,
        contexts: Mapping[int, AcceptedContext],
        line: Line,
    ) -> None:
        self.sender = sender
        self.is_busy = False
        self._acceptor = acceptor
        self._contexts = contexts
        self._line = line
        self._command = bytearray()
        self._request: Request | None = None
        self._operation: StoreOperation | None = None
        self._refusal: Answer | None = None
        self._context_id = 0
        self._control = 0

    @property
    def is_mid_message(self) -> bool:
        """Whether a message has begun to arrive and is not complete."""
        return not self.is_busy and (bool(self._command) or self._request is not None)

    @property
    def is_behind(self) -> bool:
        """Whether the sender should be held up for the disk."""
        return self._operation is not None and self._operation.is_behind

    def begin_pdv(self, context_id: int, control: int) -> None:
        """A PDV starts.

        Raises:
            ProtocolViolationError: Its context was not accepted, or it is out of turn.
        """
        if context_id not in self._contexts:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "PDV of a context not accepted"
            )
        if bool(control & _COMMAND) != (self._request is None):
            raise ProtocolViolationError(
                AbortReason.UNEXPECTED_PARAMETER, "command and data set are out of turn"
            )
        if self.is_mid_message and context_id != self._context_id:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "a message changes its context"
            )
        self._context_id = context_id
        self._control = control

    def take_fragment(self, fragment: memoryview) -> None:
        """Take a piece of the PDV.

        Raises:
            ProtocolViolationError: The command set is over its byte budget.
        """
        if self._request is not None:
            if self._operation is not None:
                self._operation.add(fragment)
            return
        self._command += fragment
        if len(self._command) > MAX_COMMAND_BYTES:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "command set is over its byte budget"
            )

    def end_pdv(self) -> None:
        """Act on what is complete now.

        Raises:
            ProtocolViolationError: The command set is not one.
        """
        if not self._control & _LAST:
            return
        if self._request is not None:
            self._complete(self._request)
            return
        request = read_request(self._command)
        self._command.clear()
        self._begin(request)

    def abandon(self) -> None:
        """The association ended; drop a message that is not complete."""
        if not self.is_busy and self._operation is not None:
            self._operation.abandon()
            self._operation = None

    def _begin(self, request: Request) -> None:
        self._request = request
        context = self._contexts[self._context_id]
        self._refusal = _refusal(request, context, self._acceptor)
        if self._refusal is None and request.command_field == CommandField.C_STORE:
            self._operation = StoreOperation(
                self._acceptor, self.sender, request, context, self._line.proceed
            )
        if not request.has_data_set:
            self._complete(request)

    def _complete(self, request: Request) -> None:
        if self._operation is not None:
            self.is_busy = True
            self._acceptor.spawn(self._answer_later(request, self._operation))
        else:
            self._answer(request, self._refusal or SUCCESS)

    async def _answer_later(self, request: Request, operation: StoreOperation) -> None:
        answer = await operation.finish()
        self._operation = None
        self.is_busy = False
        self._answer(request, answer)
        self._line.proceed()

    def _answer(self, request: Request, answer: Answer) -> None:
        self._request = None
        if request.command_field != CommandField.C_CANCEL:
            self._line.send_p_data(self._context_id, write_response(request, answer))


def _refusal(request: Request, context: AcceptedContext, acceptor: Acceptor) -> Answer | None:
    """Return the answer to a request that this context does not serve; None if it does."""
    is_verification = context.abstract_syntax == VERIFICATION
    served = CommandField.C_ECHO if is_verification else CommandField.C_STORE
    if request.command_field != served:
        return Answer(DimseStatus.UNRECOGNIZED_OPERATION)
    # Carts may name another class than they negotiated: any storage class we keep is taken.
    is_known = request.sop_class_uid in acceptor.contexts
    if request.sop_class_uid and (
        not is_known or (request.sop_class_uid == VERIFICATION) != is_verification
    ):
        return Answer(DimseStatus.SOP_CLASS_NOT_SUPPORTED)
    return None
