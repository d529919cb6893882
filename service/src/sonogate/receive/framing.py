"""Cut a byte stream into PDUs and presentation data values, without holding more than it must.

P-DATA-TF payload is handed on as it arrives, as a view of the receive buffer; only PDU and PDV
headers and the short association PDUs are ever gathered. Lengths are checked before a byte of the
body is read.
"""

import struct
from collections.abc import Callable
from typing import Protocol

from sonogate.receive.upper_layer import AbortReason, ProtocolViolationError

P_DATA_TF = 0x04
_PDU_HEADER = struct.Struct(">BxL")
_PDV_HEADER = struct.Struct(">LBB")
_PDV_ITEM_OVERHEAD = 4  # the item length field itself
_PDV_PREFIX = 2  # context id and message control header, counted by the item length


class PduReceiver(Protocol):
    """Takes what the reader finds, in the order of the stream."""

    @property
    def is_busy(self) -> bool:
        """Whether nothing more may be handed over."""
        ...

    def begin_pdu(self, pdu_type: int, length: int) -> None:
        """A PDU header arrived; raise to refuse the PDU before its body is read."""

    def take_pdu(self, pdu_type: int, body: bytes) -> None:
        """A whole PDU other than P-DATA-TF arrived; `body` is without its 6-byte header."""

    def begin_pdv(self, context_id: int, control: int) -> None:
        """A presentation data value starts; `control` is its message control header."""

    def take_fragment(self, fragment: memoryview) -> None:
        """A piece of the value; the view is only valid during the call."""

    def end_pdv(self) -> None:
        """The presentation data value is complete."""

    def end_pdu(self) -> None:
        """The PDU is complete."""


class PduReader:
    """Reads one connection's stream; feed it every byte received."""

    def __init__(self, receiver: PduReceiver) -> None:
        self._receiver = receiver
        self._partial = bytearray()
        self._step: Callable[[memoryview], int] = self._read_pdu_header
        self._pdu_type = 0
        self._pdu_remaining = 0
        self._pdv_remaining = 0

    @property
    def is_between_pdus(self) -> bool:
        """Whether the stream stands at the start of a PDU."""
        return not self._partial and self._step == self._read_pdu_header

    def feed(self, view: memoryview) -> int:
        """Read as far as the receiver lets us.

        Returns:
            How many bytes were read; fewer than given only if the receiver is busy.

        Raises:
            ProtocolViolationError: A length or a type breaks PS3.8.
        """
        position, end = 0, len(view)
        while position < end and not self._receiver.is_busy:
            position += self._step(view[position:])
        return position

    def _gather(self, view: memoryview, n_bytes: int) -> int:
        taken = min(n_bytes - len(self._partial), len(view))
        self._partial += view[:taken]
        return taken

    def _read_pdu_header(self, view: memoryview) -> int:
        taken = self._gather(view, _PDU_HEADER.size)
        if len(self._partial) == _PDU_HEADER.size:
            self._pdu_type, self._pdu_remaining = _PDU_HEADER.unpack(self._partial)
            self._partial.clear()
            self._receiver.begin_pdu(self._pdu_type, self._pdu_remaining)
            if self._pdu_type == P_DATA_TF:
                self._begin_pdv_header()
            else:
                self._begin_body()
        return taken

    def _begin_body(self) -> None:
        self._step = self._read_body
        if self._pdu_remaining == 0:
            self._end_body()

    def _read_body(self, view: memoryview) -> int:
        taken = self._gather(view, self._pdu_remaining)
        if len(self._partial) == self._pdu_remaining:
            self._end_body()
        return taken

    def _end_body(self) -> None:
        body = bytes(self._partial)
        self._partial.clear()
        self._step = self._read_pdu_header
        self._receiver.take_pdu(self._pdu_type, body)
        self._receiver.end_pdu()

    def _begin_pdv_header(self) -> None:
        if self._pdu_remaining < _PDV_HEADER.size:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "P-DATA-TF has no room for a PDV"
            )
        self._step = self._read_pdv_header

    def _read_pdv_header(self, view: memoryview) -> int:
        taken = self._gather(view, _PDV_HEADER.size)
        if len(self._partial) < _PDV_HEADER.size:
            return taken
        length, context_id, control = _PDV_HEADER.unpack(self._partial)
        self._partial.clear()
        if not _PDV_PREFIX <= length <= self._pdu_remaining - _PDV_ITEM_OVERHEAD:
            raise ProtocolViolationError(
                AbortReason.INVALID_PARAMETER, "PDV length does not fit its PDU"
            )
        self._pdu_remaining -= _PDV_ITEM_OVERHEAD + length
        self._pdv_remaining = length - _PDV_PREFIX
        self._step = self._read_pdv
        self._receiver.begin_pdv(context_id, control)
        if self._pdv_remaining == 0:
            self._end_pdv()
        return taken

    def _read_pdv(self, view: memoryview) -> int:
        taken = min(self._pdv_remaining, len(view))
        self._receiver.take_fragment(view[:taken])
        self._pdv_remaining -= taken
        if self._pdv_remaining == 0:
            self._end_pdv()
        return taken

    def _end_pdv(self) -> None:
        if self._pdu_remaining:
            self._begin_pdv_header()
        else:
            self._step = self._read_pdu_header
        self._receiver.end_pdv()
        if self._pdu_remaining == 0:
            self._receiver.end_pdu()
