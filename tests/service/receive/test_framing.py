"""A byte stream is cut the same way however the network cuts it, and lies about length end it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonogate.receive.framing import PduReader
from sonogate.receive.upper_layer import ProtocolViolationError
from tests.service.receive.door import p_data, pdv

STREAM = (
    b"\x01\x00" + struct.pack(">L", 5) + b"hello"
    + p_data(pdv(1, 3, b"command"), pdv(1, 2, b""), pdv(3, 0, b"x" * 300))
    + b"\x05\x00" + struct.pack(">L", 0)
    + p_data(pdv(1, 2, b"end"))
)  # fmt: skip


class Recorder:
    """Writes down what the reader hands over; `busy_after` PDVs it takes no more."""

    def __init__(self, busy_after: int | None = None) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.is_busy = False
        self._busy_after = busy_after
        self._pdv = b""

    def begin_pdu(self, pdu_type: int, length: int) -> None:
        """Note a header."""
        self.seen.append(("pdu", pdu_type, length))

    def take_pdu(self, pdu_type: int, body: bytes) -> None:
        """Note a body."""
        self.seen.append(("body", pdu_type, body))

    def begin_pdv(self, context_id: int, control: int) -> None:
        """Note a PDV header."""
        self._pdv = b""
        self.seen.append(("pdv", context_id, control))

    def take_fragment(self, fragment: memoryview) -> None:
        """Gather a value."""
        self._pdv += fragment

    def end_pdv(self) -> None:
        """Note a value."""
        self.seen.append(("value", self._pdv))
        if self._busy_after is not None:
            self._busy_after -= 1
            self.is_busy = self._busy_after <= 0

    def end_pdu(self) -> None:
        """Note an end."""
        self.seen.append(("end",))


def read_whole(stream: bytes) -> list[tuple[object, ...]]:
    """Read a stream in one piece."""
    recorder = Recorder()
    assert PduReader(recorder).feed(memoryview(stream)) == len(stream)
    return recorder.seen


@given(st.lists(st.integers(1, 40), max_size=80))
def test_the_pieces_of_a_stream_do_not_matter(sizes: list[int]) -> None:
    """Any cutting of the same bytes gives the same PDUs and values."""
    recorder = Recorder()
    reader = PduReader(recorder)
    position = 0
    for size in [*sizes, len(STREAM)]:
        piece = STREAM[position : position + size]
        assert reader.feed(memoryview(piece)) == len(piece)
        position += size

    assert read_whole(STREAM) == recorder.seen


def test_a_stream_is_read_as_it_was_written() -> None:
    """Headers, empty values and bodies come out in order."""
    values = [item[1] for item in read_whole(STREAM) if item[0] == "value"]

    assert [b"command", b"", b"x" * 300, b"end"] == values


def test_a_busy_receiver_gets_nothing_more() -> None:
    """After a value that makes it busy the reader stops, in the middle of a PDU if need be."""
    recorder = Recorder(busy_after=1)
    taken = PduReader(recorder).feed(memoryview(STREAM))

    assert ("value", b"command") == recorder.seen[-1]
    assert len(STREAM) > taken


@pytest.mark.parametrize(
    ("stream", "about"),
    [
        (struct.pack(">BxL", 4, 0), "no room"),
        (struct.pack(">BxL", 4, 5) + bytes(5), "no room"),
        (struct.pack(">BxLLBB", 4, 20, 1, 1, 0), "fit"),
        (struct.pack(">BxLLBB", 4, 20, 17, 1, 0), "fit"),
        (struct.pack(">BxLLBB", 4, 20, 0xFFFFFFFF, 1, 0), "fit"),
        (struct.pack(">BxLLBB", 4, 8, 3, 1, 0) + b"ab", "no room"),
    ],
)
def test_a_length_that_lies_is_refused(stream: bytes, about: str) -> None:
    """A PDV that overruns its PDU, or a PDU without room for one, ends the stream."""
    with pytest.raises(ProtocolViolationError, match=about):
        PduReader(Recorder()).feed(memoryview(stream))
