"""Requests of our own on an association that the peer opened: one at a time (PS3.7 10.1.1)."""

import asyncio
from collections.abc import Mapping
from typing import Final

from sonogate.domain.commitment import CommitmentReport
from sonogate.receive.c_store import AcceptedContext
from sonogate.receive.commitment import PUSH_MODEL_INSTANCE, event_type, write_report
from sonogate.receive.contexts import STORAGE_COMMITMENT
from sonogate.receive.dimse import Reply, write_event_report
from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError
from sonogate.receive.wire import Line

ANSWER_SECONDS: Final = 30.0
"""How long a peer may take over its answer."""


class Reporter:
    """Sends N-EVENT-REPORTs and awaits their answers, while the association lasts."""

    def __init__(self, contexts: Mapping[int, AcceptedContext], line: Line) -> None:
        self._contexts = contexts
        self._line = line
        self._message_id = 0
        self._waiting: asyncio.Future[int] | None = None
        self._turn = asyncio.Lock()
        self._is_over = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def send(self, report: CommitmentReport) -> int | None:
        """Send a report and return the status it was answered with.

        None if there was no answer: the association ended, or the peer is silent.
        """
        async with self._turn:
            await self._idle.wait()
            context_id = self._context_id()
            if self._is_over or context_id is None:
                return None
            self._message_id = self._message_id % 0xFFFF + 1
            answered = self._waiting = asyncio.get_running_loop().create_future()
            self._send(context_id, report)
            try:
                return await asyncio.wait_for(answered, ANSWER_SECONDS)
            except (TimeoutError, ConnectionError):
                return None
            finally:
                self._waiting = None

    def _send(self, context_id: int, report: CommitmentReport) -> None:
        command = write_event_report(
            STORAGE_COMMITMENT,
            PUSH_MODEL_INSTANCE,
            message_id=self._message_id,
            event_type_id=event_type(report),
        )
        transfer_syntax = self._contexts[context_id].transfer_syntax
        self._line.send_p_data(context_id, command, write_report(report, transfer_syntax))

    def _context_id(self) -> int | None:
        for context_id, context in self._contexts.items():
            if context.abstract_syntax == STORAGE_COMMITMENT:
                return context_id
        return None

    def take(self, reply: Reply) -> None:
        """The peer answers.

        Raises:
            ProtocolViolationError: Nothing was asked, or something else.
        """
        if self._waiting is None or reply.message_id != self._message_id:
            raise ProtocolViolationError(
                AbortReason.UNEXPECTED_PARAMETER, "a response to no request"
            )
        if not self._waiting.done():
            self._waiting.set_result(reply.status)

    def note(self, *, is_idle: bool) -> None:
        """Note whether the peer is in no message, and awaits no answer of ours."""
        if is_idle or self._is_over:
            self._idle.set()
        else:
            self._idle.clear()

    def end(self) -> None:
        """The association is over: nobody will answer any more."""
        self._is_over = True
        self._idle.set()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the association ended"))
