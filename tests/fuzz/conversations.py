"""The listener's doors: whole conversations, and messages inside an association.

Bytes go into the real `Connection`, over a transport that writes nowhere, to an acceptor with a
real spool, and stubs for what keeps exam steps and requests for commitment. What is raised into the
event loop, an answer that is no PDU, a connection that neither reads nor ends, or an association
that outlives its connection is a finding.
"""

import asyncio
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from functools import cache
from typing import Any, Final

from sonogate.domain.commitment import (
    CommitmentOutcome,
    CommitmentReport,
    CommitmentRequest,
    SendReport,
)
from sonogate.domain.procedure import StepMessage, StepOutcome
from sonogate.observe.metrics import Metrics
from sonogate.receive.acceptor import Acceptor
from sonogate.receive.connection import Connection
from sonogate.receive.contexts import PROCEDURE_STEP, STORAGE_COMMITMENT, supported_contexts
from sonogate.receive.keeping import Aftercare
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.settings import ListenerSettings, SpoolSettings
from tests.fuzz.harness import scratch
from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    EXPLICIT_LITTLE,
    STORE_CONTEXT,
    US_IMAGE,
    VERIFICATION,
    MemoryRegistrar,
    associate_rq,
    command,
    element,
    message,
    p_data,
    pdv,
    store_rq,
)

STEP_CONTEXT, COMMITMENT_CONTEXT, NO_CONTEXT = 5, 7, 9
CONTEXTS: Final = {
    STORE_CONTEXT: (US_IMAGE, [EXPLICIT_LITTLE]),
    ECHO_CONTEXT: (VERIFICATION, [EXPLICIT_LITTLE]),
    STEP_CONTEXT: (PROCEDURE_STEP, [EXPLICIT_LITTLE]),
    COMMITMENT_CONTEXT: (STORAGE_COMMITMENT, [EXPLICIT_LITTLE]),
}
CONTEXT_IDS: Final = (*CONTEXTS, NO_CONTEXT)
RELEASE_RQ: Final = bytes.fromhex("05000000000400000000")
ANSWERED_IN_SECONDS: Final = 20.0
_ANSWERS: Final = frozenset({2, 3, 4, 6, 7})
"""PDU types an acceptor may send (PS3.8 section 9.3)."""


class Keeper:
    """Keeps nothing of steps and requests for commitment, and says it did."""

    def __init__(self) -> None:
        self.reports: set[asyncio.Future[int | None]] = set()

    async def take(
        self, asked: StepMessage | CommitmentRequest, reply: SendReport | None = None
    ) -> Any:
        """Take either; a request for commitment is reported on at once."""
        if isinstance(asked, StepMessage):
            return StepOutcome.TAKEN
        report = CommitmentReport(
            transaction_uid=asked.transaction_uid, items=tuple((item, None) for item in asked.items)
        )
        if reply is not None:
            self.reports.add(asyncio.ensure_future(reply(report)))
        return CommitmentOutcome.TAKEN


class Nowhere(asyncio.Transport):
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._is_closing = False
        self._is_reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only the peer has a name."""
        return ("127.0.0.1", 104) if name == "peername" else default

    def write(self, data: Any) -> None:
        """Take what is written."""
        self.written += data

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._is_closing

    def close(self) -> None:
        """Close."""
        self._is_closing = True

    abort = close

    def is_reading(self) -> bool:
        """Whether bytes may be delivered."""
        return self._is_reading

    def pause_reading(self) -> None:
        """Deliver no more."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        self._is_reading = True


class Gate:
    """A listener without a socket."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(repr(context)))
        settings = ListenerSettings(port=0)
        self.spool = Spool(scratch() / "spool", SpoolSettings(min_free_bytes=1), settings)
        self.loop.run_until_complete(self.spool.open())
        metrics, self.keeper = Metrics(), Keeper()
        self.registrar = MemoryRegistrar(Aftercare(self.spool, metrics, lambda: None))
        self.acceptor = Acceptor(
            settings=settings,
            spool=self.spool,
            registrar=self.registrar,
            porter=OwnPorter(settings, metrics),
            contexts=supported_contexts(services=(PROCEDURE_STEP, STORAGE_COMMITMENT)),
            steps=self.keeper,
            commitments=self.keeper,
        )

    def hear(self, pieces: Iterator[bytes], *, is_patient: bool = False) -> str:
        """Have one connection say these bytes, then hang up; return the answers' PDU types.

        Args:
            pieces: As they arrive.
            is_patient: The peer awaits each answer, and what we ask it then.
        """
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123
            return self.loop.run_until_complete(self._converse(pieces, is_patient))

    async def _converse(self, pieces: Iterator[bytes], is_patient: bool) -> str:  # noqa: FBT001
        transport, connection = Nowhere(), Connection(self.acceptor)
        connection.connection_made(transport)
        for piece in pieces:
            if transport.is_closing():
                break
            self.acceptor.buffer[: len(piece)] = piece
            connection.buffer_updated(len(piece))
            await self._until(lambda: transport.is_reading() or transport.is_closing())
            if is_patient:
                await self._until(lambda: not self.acceptor.tasks)
                await asyncio.sleep(0)  # the turn of a report of ours
        await self._until(lambda: not self.acceptor.tasks)
        connection.connection_lost(None)
        await self._until(lambda: not self.acceptor.tasks)
        await self._clean()
        return " ".join(map(str, types_of(bytes(transport.written))))

    async def _until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(ANSWERED_IN_SECONDS):
            while not is_true():  # noqa: ASYNC110 - what is waited for knows of no fuzzer
                await asyncio.sleep(0)

    async def _clean(self) -> None:
        """Drop what was kept, and see that nothing else is left."""
        reports, self.keeper.reports = self.keeper.reports, set()
        async with asyncio.timeout(ANSWERED_IN_SECONDS):
            await asyncio.gather(*reports)
        rows, self.registrar.rows = self.registrar.rows, []
        for row in rows:
            self.spool.remove(row.spool_name)
        files = list((self.spool.folder / "files").iterdir())
        left = (self.acceptor.porter.n_open, len(self.acceptor.connections), len(files))
        if self.faults or any(left):
            raise AssertionError(f"raised: {self.faults}; associations, connections, files: {left}")
        self.spool.drop(frozenset(), self.spool.sealed())


def gate() -> Gate:
    """Return the listener of this process; a fork has none of its parent's threads."""
    return _gate_of(os.getpid())


@cache
def _gate_of(_pid: int) -> Gate:
    return Gate()


def types_of(written: bytes) -> Iterator[int]:
    """Yield the types of the PDUs written.

    Raises:
        AssertionError: They are none.
    """
    at = 0
    while at < len(written):
        kind, length = struct.unpack_from(">BxL", written, at)
        at += 6 + length
        if kind not in _ANSWERS or at > len(written):
            raise AssertionError(f"the gate wrote no PDU: type {kind}, {length} bytes")
        yield kind


def converse(data: bytes) -> str:
    """Read bytes as all that a peer says; the first chooses in what pieces they arrive."""
    if not data:
        return "nothing"
    size = 1 + data[0] ** 2
    return gate().hear(data[1:][at : at + size] for at in range(0, len(data) - 1, size))


def exchange(data: bytes) -> str:
    """Read bytes as presentation data values inside an association.

    Each is a byte that chooses context and message control, two of length, and that many more.
    """
    return gate().hear(iter([associate_rq(CONTEXTS), *_values(data), RELEASE_RQ]), is_patient=True)


def _values(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        context_id = CONTEXT_IDS[data[at] % len(CONTEXT_IDS)]
        yield p_data(pdv(context_id, data[at] >> 4, data[at + 3 : at + 3 + length]))
        at += 3 + length


def value(context_id: int, control: int, octets: bytes) -> bytes:
    """Write what `exchange` reads as one presentation data value."""
    chosen = CONTEXT_IDS.index(context_id)
    first = next(n for n in range(256) if n >> 4 == control and n % len(CONTEXT_IDS) == chosen)
    return bytes((first,)) + struct.pack("<H", len(octets)) + octets


def conversations() -> Mapping[str, bytes]:
    """A store, an echo, many contexts; in large pieces and in small ones."""
    store = associate_rq() + message(store_rq("1.2.3"), b"content" * 40) + RELEASE_RQ
    echo = associate_rq() + message(ECHO_RQ, context_id=ECHO_CONTEXT) + RELEASE_RQ
    abort = associate_rq() + bytes.fromhex("07000000000400000000")
    return {
        "store": b"\xff" + store,
        "store_in_pieces": b"\x03" + store,
        "echo": b"\xff" + echo,
        "abort": b"\xff" + abort,
        "services": b"\xff" + associate_rq(CONTEXTS) + RELEASE_RQ,
    }


def exchanges(steps: Mapping[str, bytes], requests: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """A store in pieces, an echo, a step and a request for commitment, each with its data set."""
    from tests.integration.test_network_hostile import action_rq, step_rq

    stored = value(STORE_CONTEXT, 3, store_rq("1.2.3")) + value(STORE_CONTEXT, 0, b"con")
    found = {
        "store": stored + value(STORE_CONTEXT, 2, b"tent"),
        "echo": value(ECHO_CONTEXT, 3, ECHO_RQ),
        "two": value(ECHO_CONTEXT, 3, ECHO_RQ) + stored + value(STORE_CONTEXT, 2, b""),
    }
    for name, octets in steps.items():
        found[f"step_{name}"] = value(STEP_CONTEXT, 3, step_rq()) + value(STEP_CONTEXT, 2, octets)
    for name, octets in requests.items():
        asked = value(COMMITMENT_CONTEXT, 3, action_rq())
        found[f"request_{name}"] = asked + value(COMMITMENT_CONTEXT, 2, octets)
        reply = value(COMMITMENT_CONTEXT, 3, _report_rsp())
        found[f"reported_{name}"] = found[f"request_{name}"] + reply
    return found


def _report_rsp() -> bytes:
    """Write the answer to our first N-EVENT-REPORT."""
    return command(
        element(0x0100, struct.pack("<H", 0x8100)),
        element(0x0120, struct.pack("<H", 1)),
        element(0x0800, struct.pack("<H", 0x0101)),
        element(0x0900, struct.pack("<H", 0)),
    )
