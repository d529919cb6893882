"""The Upper Layer provider of one connection: fires events, carries actions out, keeps time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from sonogate.observe.logs import get_logger
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.admission import REJECTIONS, Rule
from sonogate.receive.association import Association
from sonogate.receive.certificate import PeerCertificate
from sonogate.receive.deadline import Deadline
from sonogate.receive.entrance import Entry, enter, leave, note_end
from sonogate.receive.framing import PduReader
from sonogate.receive.negotiation import AssociateRequest, read_associate_rq, reject
from sonogate.receive.pdus import A_RELEASE_RP, a_abort, max_length, p_data
from sonogate.receive.porter import Counted
from sonogate.receive.upper_layer import (
    NEXT_STATE,
    PDU_EVENTS,
    TRANSITIONS,
    AbortReason,
    AbortSource,
    Action,
    Event,
    ProtocolViolationError,
    State,
)
from sonogate.receive.wire import Wire
from sonogate.settings import MIB

MAX_DEAF_BYTES: Final = 4 * MIB
"""How much a peer may go on sending after an abort before the connection is cut."""
_ABORTS = (Action.ABORT_AS_USER, Action.ABORT_AS_PROVIDER)

log = get_logger()


class Provider:
    """Between a connection and its association."""

    def __init__(
        self,
        acceptor: Acceptor,
        wire: Wire,
        peer_address: str,
        certificate: PeerCertificate | None = None,
    ) -> None:
        self._acceptor = acceptor
        self._settings = acceptor.settings
        self._wire = wire
        self._peer_address = peer_address
        self._certificate = certificate
        self._state = State.IDLE
        self._reader = PduReader(self)
        self._deadline = Deadline(asyncio.get_running_loop(), self._expire)
        self._association: Association | None = None
        self._body = b""
        self._broken_rule = Rule.ASSOCIATIONS
        self._reason = AbortReason.NOT_SPECIFIED
        self._is_deaf = False
        self._is_stopping = False
        self._is_timed_out = False
        self._n_bytes = 0
        self._max_peer_pdu_bytes = 0
        self._calling_ae = ""
        self._fire(Event.CONNECTED)

    # What the connection calls.

    @property
    def is_busy(self) -> bool:
        """Whether nothing more may be read: a request is being answered, or the stream is over."""
        if self._is_deaf or self._state is State.AWAITING_ANSWER:
            return True
        return self._association is not None and self._association.is_busy

    @property
    def is_behind(self) -> bool:
        """Whether the disk is slower than the sender."""
        return self._association is not None and self._association.is_behind

    def receive(self, view: memoryview) -> int:
        """Read received bytes; return how many: all, unless a request is being answered."""
        self._n_bytes += len(view)
        if self._is_deaf:
            if self._n_bytes > MAX_DEAF_BYTES:
                self._wire.abort()
            return len(view)
        try:
            if self._n_bytes > self._settings.max_association_bytes:
                raise ProtocolViolationError(
                    AbortReason.NOT_SPECIFIED, "association is over its byte budget"
                )
            taken = self._reader.feed(view)
        except ProtocolViolationError as violation:
            self._violated(violation)
        if self._is_deaf:
            return len(view)
        if self.is_behind:
            self._deadline.clear()
        return taken

    def resume(self) -> None:
        """The request is answered, or the disk or the peer caught up."""
        if self.is_behind:
            self._deadline.clear()
        elif self._state == State.ESTABLISHED:
            self._rearm()

    def stall(self) -> None:
        """The peer does not read its answers."""
        self._deadline.set_in(self._settings.pdu_progress_seconds)

    def stop(self) -> None:
        """End: at once if idle, else once the object under way is answered."""
        association = self._association
        if association is None:
            self._wire.abort()
        elif association.is_busy or association.is_mid_message:
            self._is_stopping = True
        else:
            self._fire(Event.ABORT_REQUESTED)

    def connection_lost(self) -> None:
        """The transport is gone."""
        if self._state != State.IDLE:
            self._fire(Event.CONNECTION_CLOSED)
        self._deadline.close()

    # What the reader calls (framing.PduReceiver).

    def begin_pdu(self, pdu_type: int, length: int) -> None:
        """Refuse a PDU that is unknown, unexpected or too long before its body is read."""
        event = PDU_EVENTS.get(pdu_type)
        if event is None:
            raise ProtocolViolationError(AbortReason.UNRECOGNIZED_PDU, "unknown PDU type")
        if TRANSITIONS[event, self._state] in _ABORTS:
            raise ProtocolViolationError(
                AbortReason.UNEXPECTED_PDU, f"{event.name} in {self._state.name}"
            )
        if length > max_length(event, self._settings.max_pdu_bytes):
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "PDU is over its byte budget"
            )
        if self._state == State.ESTABLISHED:
            self._deadline.set_in(self._settings.pdu_progress_seconds)

    def take_pdu(self, pdu_type: int, body: bytes) -> None:
        """Act on an association PDU."""
        self._body = body
        self._fire(PDU_EVENTS[pdu_type])

    def begin_pdv(self, context_id: int, control: int) -> None:
        """A PDV starts."""
        if self._association is not None:
            self._association.begin_pdv(context_id, control)

    def take_fragment(self, fragment: memoryview) -> None:
        """A piece of a PDV."""
        if self._association is not None:
            self._association.take_fragment(fragment)

    def end_pdv(self) -> None:
        """A PDV is complete."""
        if self._association is not None:
            self._association.end_pdv()

    def end_pdu(self) -> None:
        """A PDU is complete: the next one has its own time."""
        if self._state == State.ESTABLISHED:
            self._rearm()

    # What the association calls (association.Line).

    def send_p_data(self, context_id: int, command: bytes, data_set: bytes = b"") -> None:
        """Send a message, in as many PDUs as the peer's maximum length asks for."""
        if (Event.P_DATA_REQUESTED, self._state) not in TRANSITIONS:
            return
        pdus = p_data(context_id, command, self._max_peer_pdu_bytes)
        if data_set:
            pdus += p_data(context_id, data_set, self._max_peer_pdu_bytes, is_command=False)
        self._wire.write(pdus)

    def proceed(self) -> None:
        """Go on reading."""
        self._wire.proceed()

    # Inside.

    def _rearm(self) -> None:
        association = self._association
        if association is None or association.is_busy:
            self._deadline.clear()
        elif association.is_mid_message:
            self._deadline.set_in(self._settings.pdu_progress_seconds)
        elif self._is_stopping:
            self._fire(Event.ABORT_REQUESTED)
        else:
            self._deadline.set_in(self._settings.idle_seconds)

    def _expire(self) -> None:
        if self._state in (State.AWAITING_REQUEST, State.AWAITING_CLOSE):
            self._fire(Event.ARTIM_EXPIRED)
            return
        self._is_timed_out = True
        self._fire(Event.ABORT_REQUESTED)

    def _violated(self, violation: ProtocolViolationError) -> None:
        log.warning(
            "protocol_violated",
            calling_ae=self._calling_ae,
            peer_address=self._peer_address,
            reason=str(violation),
        )
        self._reason = violation.reason
        self._fire(Event.INVALID_PDU)

    def _fire(self, event: Event) -> None:
        action = TRANSITIONS[event, self._state]
        self._state = NEXT_STATE[action]
        carry_out = _CARRY_OUT.get(action)
        if carry_out is not None:
            carry_out(self)

    def _start_artim(self) -> None:
        self._deadline.set_in(self._settings.artim_seconds)

    def _indicate_request(self) -> None:
        try:
            request = read_associate_rq(self._body, self._peer_address, self._certificate)
            self._body = b""
            self._answer_request(request)
        except ProtocolViolationError as violation:
            self._violated(violation)

    def _answer_request(self, request: AssociateRequest) -> None:
        self._calling_ae = request.applicant.calling_ae
        enter(self._acceptor, request, self._take_entry)

    def _take_entry(self, entry: Entry | Rule) -> None:
        """Answer the request; it may have been withdrawn while a place was asked for."""
        if isinstance(entry, Rule):
            self._broken_rule = entry
            if self._state is State.AWAITING_ANSWER:
                self._fire(Event.REJECTED)
        elif self._state is State.AWAITING_ANSWER:
            self._accept(entry)
        else:
            leave(self._acceptor, entry.sender)
        self._wire.proceed()

    def _accept(self, entry: Entry) -> None:
        agreed = entry.acceptance
        self._association = Association(self._acceptor, entry.sender, agreed.contexts, self)
        self._max_peer_pdu_bytes = entry.max_peer_pdu_bytes
        self._wire.write(agreed.pdu)
        self._fire(Event.ACCEPTED)

    def _send_reject(self) -> None:
        rule = self._broken_rule
        self._wire.write(reject(REJECTIONS[rule]))
        self._acceptor.porter.count(Counted.ASSOCIATION_REFUSED, rule.value)
        self._end("rejected", reason=rule.value)
        self._start_artim()

    def _indicate_release(self) -> None:
        self._end("released")
        self._fire(Event.RELEASE_ANSWERED)

    def _send_release_rp(self) -> None:
        self._wire.write(A_RELEASE_RP)
        self._start_artim()

    def _abort_as_user(self) -> None:
        self._abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)

    def _abort_as_provider(self) -> None:
        self._abort(AbortSource.SERVICE_PROVIDER, self._reason)

    def _abort(self, source: AbortSource, reason: AbortReason) -> None:
        self._is_deaf = True
        self._n_bytes = 0
        self._wire.write(a_abort(source, reason))
        self._end("timed_out" if self._is_timed_out else "aborted")
        self._start_artim()

    def _close(self) -> None:
        self._is_deaf = True
        self._deadline.close()
        self._wire.close()

    def _indicate_abort(self) -> None:
        self._end("aborted")
        self._close()

    def _indicate_loss(self) -> None:
        self._end("lost")

    def _end(self, result: str, reason: str = "") -> None:
        association, self._association = self._association, None
        if association is not None:
            association.abandon()
            leave(self._acceptor, association.sender)
        note_end(self._acceptor, self._calling_ae, self._peer_address, result, reason)


_CARRY_OUT: Mapping[Action, Callable[[Provider], None]] = {
    Action.START_ARTIM: Provider._start_artim,
    Action.INDICATE_REQUEST: Provider._indicate_request,
    Action.SEND_REJECT: Provider._send_reject,
    Action.INDICATE_RELEASE: Provider._indicate_release,
    Action.SEND_RELEASE_RP: Provider._send_release_rp,
    Action.ABORT_AS_USER: Provider._abort_as_user,
    Action.CLOSE: Provider._close,
    Action.INDICATE_ABORT: Provider._indicate_abort,
    Action.INDICATE_LOSS: Provider._indicate_loss,
    Action.ABORT_AGAIN: Provider._abort_as_provider,
    Action.ABORT_AS_PROVIDER: Provider._abort_as_provider,
}
"""Actions with more to do than the next state; P-DATA is sent and taken where its bytes are."""
