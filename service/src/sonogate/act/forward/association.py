"""One association as its requestor, on the event loop: bounded memory, bounded waits."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sonogate.act.forward.outcome import DestinationError
from sonogate.act.forward.parcel import Parcel, reading
from sonogate.act.forward.pdus import (
    A_ABORT,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    MAX_ASSOCIATE_BYTES,
    MAX_COMMAND_BYTES,
    OUR_MAX_PDU_BYTES,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    Acceptance,
    Proposal,
    associate_rq,
    c_store_rq,
    command_pieces,
    p_data_headers,
    read_associate_ac,
    rejection_of,
    status_of,
)
from sonogate.domain.instance import Span

CONNECT_SECONDS: Final = 10.0
RELEASE_SECONDS: Final = 5.0
"""How long a farewell may take; whatever is answered by then is answered."""
_SLACK_BYTES: Final = 1024
_QUICK_ACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
_LIMITS: Final = {ASSOCIATE_AC: MAX_ASSOCIATE_BYTES, P_DATA: OUR_MAX_PDU_BYTES + _SLACK_BYTES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A storage SCP."""

    host: str
    port: int
    ae_title: str
    answer_seconds: float  #: how long it may take over an answer, or over the next piece


class Association:
    """An established association; one message at a time."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer_seconds: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer_seconds = answer_seconds
        self._n_sent = 0
        self.acceptance = Acceptance(contexts=(), max_pdu_bytes=0)

    async def negotiate(
        self, proposals: Sequence[Proposal], called_ae: str, calling_ae: str
    ) -> None:
        """Ask for the association.

        Raises:
            DestinationError: It was rejected, or not answered.
        """
        await self._write(associate_rq(proposals, called_ae, calling_ae))
        kind, pdu = await self._read_pdu()
        if kind == ASSOCIATE_RJ:
            raise DestinationError(rejection_of(pdu))
        if kind != ASSOCIATE_AC:
            raise DestinationError("aborted" if kind == ABORT else "protocol")
        self.acceptance = read_associate_ac(pdu, len(proposals))

    async def store(self, context_id: int, parcel: Parcel, data_set: Span) -> int:
        """Send one object and return its status.

        Args:
            context_id: An accepted context of its class and syntax.
            parcel: What it is called and which file it is in.
            data_set: Where its data set is in there.

        Raises:
            DestinationError: The association broke, or the peer takes too long.
            OSError: The object's own file can't be read.
        """
        self._n_sent += 1
        message_id = self._n_sent % 0xFFFF + 1
        command = c_store_rq(message_id, parcel.sop_class_uid, parcel.sop_instance_uid)
        await self._send(context_id, command, is_command=True, ends=True)
        left = data_set.size_bytes
        with reading(parcel.path, data_set) as pieces:
            while left:
                block = await asyncio.to_thread(next, pieces)
                left -= len(block)
                await self._send(context_id, block, is_command=False, ends=not left)
        return status_of(await self._read_command(), message_id)

    async def release(self) -> None:
        """End it in good order; a peer that does not play along is left."""
        with suppress(DestinationError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(A_RELEASE_RQ)
                while True:
                    kind, _pdu = await self._read_pdu()
                    if kind == RELEASE_RQ:
                        await self._write(A_RELEASE_RP)
                    if kind in (RELEASE_RP, ABORT):
                        return

    def abort(self) -> None:
        """End it at once."""
        if not self._writer.is_closing():
            self._writer.write(A_ABORT)

    async def _send(self, context_id: int, piece: bytes, *, is_command: bool, ends: bool) -> None:
        offset, view = 0, memoryview(piece)
        headers = p_data_headers(
            context_id, len(piece), self.acceptance.max_pdu_bytes, is_command=is_command, ends=ends
        )
        for header, n_bytes in headers:
            self._writer.write(header)
            await self._write(view[offset : offset + n_bytes])
            offset += n_bytes

    async def _read_command(self) -> bytes:
        command = b""
        while True:
            kind, pdu = await self._read_pdu()
            if kind != P_DATA:
                raise DestinationError("aborted" if kind == ABORT else "protocol")
            for piece, is_last in command_pieces(pdu):
                command += piece
                if len(command) > MAX_COMMAND_BYTES:
                    raise DestinationError("protocol")
                if is_last:
                    return command

    def _acknowledge_at_once(self) -> None:
        """Acknowledge the next segment without delay, where the system can.

        DCMTK writes a PDU's head and body one after the other under Nagle's algorithm; the kernel's
        delayed acknowledgement then costs 40 ms for each answer.
        """
        connection = self._writer.get_extra_info("socket")
        if _QUICK_ACK is not None and connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    async def _write(self, content: bytes | memoryview) -> None:
        try:
            async with asyncio.timeout(self._answer_seconds):
                self._writer.write(content)
                await self._writer.drain()
        except TimeoutError as error:
            raise DestinationError("timed_out") from error
        except OSError as error:
            raise DestinationError("lost") from error

    async def _read_pdu(self) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._answer_seconds):
                self._acknowledge_at_once()
                head = await self._reader.readexactly(6)
                length = int.from_bytes(head[2:], "big")
                if length > _LIMITS.get(head[0], 4):
                    raise DestinationError("protocol")
                return head[0], head + await self._reader.readexactly(length)
        except TimeoutError as error:
            raise DestinationError("timed_out") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise DestinationError("lost") from error


@asynccontextmanager
async def associated(
    peer: Peer, proposals: Sequence[Proposal], calling_ae: str, tls: ssl.SSLContext | None
) -> AsyncIterator[Association]:
    """Hold an association for the time of the block; released after it, aborted by an error.

    Raises:
        DestinationError: It could not be had, or broke.
    """
    reader, writer = await _connect(peer, tls)
    association = Association(reader, writer, peer.answer_seconds)
    try:
        await association.negotiate(proposals, peer.ae_title, calling_ae)
        yield association
        await association.release()
    except BaseException:
        association.abort()
        raise
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await writer.wait_closed()


async def _connect(
    peer: Peer, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(
                peer.host, peer.port, ssl=tls, server_hostname=peer.host if tls else None
            )
    except ssl.SSLError as error:
        raise DestinationError("tls") from error
    except TimeoutError as error:
        raise DestinationError("unreachable") from error
    except OSError as error:
        raise DestinationError("unreachable") from error
