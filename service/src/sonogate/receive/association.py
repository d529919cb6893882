"""One association's DIMSE service user: gather commands, carry out requests, answer each in turn.

PDVs come in from `provider`; answers go out through it. The asynchronous operations window is
declined, so one request is under way at most; while it is being answered nothing more is taken
(`is_busy`).
"""

from collections.abc import Mapping

from sonogate.receive.acceptor import Acceptor
from sonogate.receive.c_store import AcceptedContext, Sender
from sonogate.receive.dimse import (
    MAX_COMMAND_BYTES,
    CommandField,
    Reply,
    Request,
    read_command,
    write_response,
)
from sonogate.receive.mpps import named
from sonogate.receive.operation import Operation
from sonogate.receive.reporting import Reporter
from sonogate.receive.services import operation_of, refusal
from sonogate.receive.status import SUCCESS, Answer
from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError
from sonogate.receive.wire import Line

_COMMAND = 0x01  # message control header (PS3.8 Annex E.2)
_LAST = 0x02


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
        self._request: Request | Reply | None = None
        self._operation: Operation | None = None
        self._reporter = Reporter(contexts, line)
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
        else:
            read = read_command(self._command)
            self._command.clear()
            self._begin(read)
        self._reporter.note(is_idle=not self.is_busy and not self.is_mid_message)

    def abandon(self) -> None:
        """The association ended; drop a message that is not complete."""
        self._reporter.end()
        if not self.is_busy and self._operation is not None:
            self._operation.abandon()
            self._operation = None

    def _begin(self, read: Request | Reply) -> None:
        if isinstance(read, Request):
            read = self._prepare(named(read))
        self._request = read
        if not read.has_data_set:
            self._complete(read)

    def _prepare(self, request: Request) -> Request:
        context = self._contexts[self._context_id]
        self._refusal = refusal(request, context, self._acceptor)
        if self._refusal is None:
            self._operation = operation_of(
                self._acceptor, self.sender, request, context, self._line, self._reporter
            )
        return request

    def _complete(self, request: Request | Reply) -> None:
        if isinstance(request, Reply):
            self._request = None
            self._reporter.take(request)
        elif self._operation is not None:
            self.is_busy = True
            self._acceptor.spawn(self._answer_later(request, self._operation))
        else:
            self._answer(request, self._refusal or SUCCESS)

    async def _answer_later(self, request: Request, operation: Operation) -> None:
        answer = await operation.finish()
        self._operation = None
        self.is_busy = False
        self._answer(request, answer)
        self._reporter.note(is_idle=not self.is_mid_message)
        self._line.proceed()

    def _answer(self, request: Request, answer: Answer) -> None:
        self._request = None
        if request.command_field != CommandField.C_CANCEL:
            self._line.send_p_data(self._context_id, write_response(request, answer))
