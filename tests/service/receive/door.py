"""A listener to knock at, a registrar that remembers, and a peer that may say anything."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext

from sonogate.domain.identity import ObjectId
from sonogate.domain.instance import Kept, ReceivedInstance
from sonogate.errors import SpoolFullError
from sonogate.observe.metrics import Metrics
from sonogate.receive.connection import Connection
from sonogate.receive.keeping import Aftercare
from sonogate.receive.listener import Listener
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.settings import ListenerSettings, SpoolSettings

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
STORE_CONTEXT, ECHO_CONTEXT = 1, 3


class MemoryRegistrar:
    """A registrar whose rows are a list."""

    def __init__(self, aftercare: Aftercare) -> None:
        self.rows: list[ReceivedInstance] = []
        self.is_full = False
        self.error: Exception | None = None
        self._aftercare = aftercare

    def require_room(self) -> None:
        """Refuse while told to."""
        if self.is_full:
            raise SpoolFullError

    async def announce(self, instance: ReceivedInstance) -> None:
        """Enter the row at once."""
        if self.error is not None:
            raise self.error
        self._aftercare(instance, self._keep(instance))

    async def enter(self, instance: ReceivedInstance) -> Kept:
        """Enter the row at once."""
        kept = self._keep(instance)
        self._aftercare(instance, kept)
        return kept

    def _keep(self, instance: ReceivedInstance) -> Kept:
        same_uid = [row for row in self.rows if row.sop_instance_uid == instance.sop_instance_uid]
        for row in same_uid:
            if row.content_sha256 == instance.content_sha256:
                return Kept(object_id=row.object_id, duplicate=True)
        self.rows.append(instance)
        return Kept(object_id=ObjectId(instance.object_id), conflict=bool(same_uid))


@dataclass
class Door:
    """A running listener and what is behind it."""

    listener: Listener
    spool: Spool
    registrar: MemoryRegistrar
    metrics: Metrics

    @property
    def port(self) -> int:
        """Where to knock."""
        return self.listener.port

    def held(self) -> list[bytes]:
        """Every object whose bytes are on the disk, row or no row."""
        return held_by(self.spool)

    def bytes_of(self, row: ReceivedInstance) -> bytes:
        """Return what is kept of an object."""
        return bytes_of(self.spool, row)

    def transports(self) -> list[asyncio.Transport]:
        """The gate's ends of the open connections."""
        connections = self.listener._acceptor.connections
        return [each._transport for each in connections if isinstance(each, Connection)]

    def count(self, name: str, **labels: str) -> float:
        """Value of one metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def bytes_of(spool: Spool, row: ReceivedInstance) -> bytes:
    """Return what the spool keeps of an object: file meta and content."""
    path, span = spool.place_of(row.spool_name)
    octets = path.read_bytes()
    return octets[span.offset : span.offset + span.size_bytes] if span else octets


def held_by(spool: Spool) -> list[bytes]:
    """Return every object whose bytes are in a segment or in a file of its own."""
    in_segments = [
        bytes_of(spool, row)
        for rows in spool.unsettled().values()
        for row in rows
        if row.spool_name.startswith("01")
    ]
    return in_segments + [path.read_bytes() for path in (spool.folder / "files").glob("*")]


@asynccontextmanager
async def open_door(
    folder: Path, *, min_free_bytes: int = 1, **settings: object
) -> AsyncIterator[Door]:
    """Run a listener on a free port for the time of the block."""
    listener_settings = ListenerSettings.model_validate({"port": 0, **settings})
    spool_settings = SpoolSettings(min_free_bytes=min_free_bytes)
    spool = Spool(folder / "spool", spool_settings, listener_settings)
    metrics = Metrics()
    registrar = MemoryRegistrar(Aftercare(spool, metrics, lambda: None))
    porter = OwnPorter(listener_settings, metrics)
    listener = Listener(listener_settings, spool, registrar, porter)
    await listener.start()
    try:
        yield Door(listener, spool, registrar, metrics)
    finally:
        await listener.stop()
        await spool.close()


def associate_rq(
    contexts: dict[int, tuple[str, list[str]]] | None = None,
    *,
    calling_ae: str = "CART",
    called_ae: str = "SONOGATE",
    max_pdu_bytes: int = 16384,
    user_information: tuple[object, ...] = (),
) -> bytes:
    """Write an A-ASSOCIATE-RQ; without contexts it proposes US images and C-ECHO."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling_ae, called_ae
    proposal = contexts or {
        STORE_CONTEXT: (US_IMAGE, [EXPLICIT_LITTLE]),
        ECHO_CONTEXT: (VERIFICATION, [EXPLICIT_LITTLE]),
    }
    primitive.presentation_context_definition_list = [
        presentation_context(number, *proposed) for number, proposed in proposal.items()
    ]
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu_bytes
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    primitive.user_information = [length, implementation, *user_information]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def presentation_context(
    number: int, abstract_syntax: str, transfer_syntaxes: list[str]
) -> PresentationContext:
    """Make a proposed presentation context."""
    context = PresentationContext()
    context.context_id = number
    context.abstract_syntax = UID(abstract_syntax)
    context.transfer_syntax = [UID(uid) for uid in transfer_syntaxes]
    return context


def element(number: int, value: bytes) -> bytes:
    """Write one element of a command set."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def command(*elements: bytes, length: int | None = None) -> bytes:
    """Write a command set; `length` lies about its group length."""
    body = b"".join(elements)
    return element(0, struct.pack("<L", len(body) if length is None else length)) + body


def uid_bytes(uid: str) -> bytes:
    """Pad a UID to even length."""
    return uid.encode() + b"\0" * (len(uid) % 2)


def store_rq(
    uid: str, *, message_id: int = 1, sop_class: str = US_IMAGE, data_set_type: int = 1
) -> bytes:
    """Write a C-STORE-RQ command set."""
    return command(
        element(0x0002, uid_bytes(sop_class)),
        element(0x0100, struct.pack("<H", 0x0001)),
        element(0x0110, struct.pack("<H", message_id)),
        element(0x0700, struct.pack("<H", 0)),
        element(0x0800, struct.pack("<H", data_set_type)),
        element(0x1000, uid_bytes(uid)),
    )


def request_rq(field_code: int, *, message_id: int = 7, data_set_type: int = 0x0101) -> bytes:
    """Write a request of any kind that names only its SOP class."""
    return command(
        element(0x0002, uid_bytes(US_IMAGE)),
        element(0x0100, struct.pack("<H", field_code)),
        element(0x0110, struct.pack("<H", message_id)),
        element(0x0800, struct.pack("<H", data_set_type)),
    )


ECHO_RQ = command(
    element(0x0002, uid_bytes(VERIFICATION)),
    element(0x0100, struct.pack("<H", 0x0030)),
    element(0x0110, struct.pack("<H", 5)),
    element(0x0800, struct.pack("<H", 0x0101)),
)


def pdv(context_id: int, control: int, fragment: bytes) -> bytes:
    """Write one PDV item."""
    return struct.pack(">LBB", len(fragment) + 2, context_id, control) + fragment


def p_data(*pdvs: bytes) -> bytes:
    """Write a P-DATA-TF."""
    body = b"".join(pdvs)
    return struct.pack(">BxL", 4, len(body)) + body


def message(command_set: bytes, content: bytes = b"", context_id: int = STORE_CONTEXT) -> bytes:
    """Write a whole message: command set, then its data set in pieces of 10,000 bytes."""
    pdus = [p_data(pdv(context_id, 0x03, command_set))]
    starts = range(0, len(content), 10_000)
    for start in starts:
        control = 0x02 if start == starts[-1] else 0x00
        pdus.append(p_data(pdv(context_id, control, content[start : start + 10_000])))
    return b"".join(pdus)


class Peer:
    """The other end of a connection: writes any bytes, reads PDUs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, octets: bytes) -> None:
        """Send bytes."""
        self.writer.write(octets)
        await self.writer.drain()

    async def hear(self, seconds: float = 10.0) -> tuple[int, bytes]:
        """Return the type and body of the next PDU; (0, b"") if the gate closed."""
        async with asyncio.timeout(seconds):
            try:
                header = await self.reader.readexactly(6)
                pdu_type, length = struct.unpack(">BxL", header)
                return pdu_type, await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return 0, b""

    async def hear_status(self) -> int:
        """Return the DIMSE status of the next answer."""
        pdu_type, body = await self.hear()
        assert pdu_type == 4, f"PDU type {pdu_type}: {body!r}"
        return status_of(body)

    async def associate(self, request: bytes | None = None) -> int:
        """Ask for an association and return the type of the answering PDU."""
        await self.say(request or associate_rq())
        pdu_type, _body = await self.hear()
        return pdu_type

    async def release(self) -> int:
        """Release the association and return the type of the answering PDU."""
        await self.say(bytes.fromhex("05000000000400000000"))
        pdu_type, _body = await self.hear()
        return pdu_type


def status_of(pdu_body: bytes) -> int:
    """Find the status in a P-DATA-TF with one command set."""
    at = pdu_body.index(struct.pack("<HHL", 0, 0x0900, 2)) + 8
    return int(struct.unpack_from("<H", pdu_body, at)[0])


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    """Connect to a port for the time of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def eventually(is_true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until a callable is true."""
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - what is waited for knows of no test
            await asyncio.sleep(0.01)
