"""Whatever comes in by the DICOM port: a clear status or abort, and the next association works."""

import asyncio
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sonogate.receive.pdus import MAX_ASSOCIATE_BYTES
from sonogate.settings import MIB
from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    STORE_CONTEXT,
    Door,
    Peer,
    associate_rq,
    connected,
    eventually,
    message,
    open_door,
    p_data,
    pdv,
    request_rq,
    store_rq,
)

pytestmark = pytest.mark.integration

A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, A_ABORT = 2, 3, 6, 7
USER, PROVIDER = 0, 2
UNRECOGNIZED_PDU, UNEXPECTED_PDU, UNEXPECTED_PARAMETER, INVALID_PARAMETER = 1, 2, 5, 6


_LAST_WORDS = {
    "abort": struct.pack(">BxL4x", 7, 4),
    "release": struct.pack(">BxL4x", 5, 4),
    "cut": p_data(pdv(STORE_CONTEXT, 2, bytes(500)))[:-100],
}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A listener on a free port; whatever was said to it, it still takes an object afterwards."""
    async with open_door(tmp_path) as door:
        yield door
        async with connected(door.port) as peer:
            assert await peer.associate() == A_ASSOCIATE_AC
            await peer.say(message(store_rq("9.9.9"), b"afterwards"))
            assert await peer.hear_status() == 0
            assert await peer.release() == A_RELEASE_RP
        await eventually(lambda: door.listener.n_associations == 0)


async def abort_of(peer: Peer) -> tuple[int, int]:
    """Return (source, reason) of the A-ABORT that must come next."""
    pdu_type, body = await peer.hear()
    assert pdu_type == A_ABORT, f"PDU type {pdu_type}"
    return body[2], body[3]


async def say_often(peer: Peer, octets: bytes, *, times: int, seconds_between: float = 0.0) -> None:
    """Send the same bytes over and over."""
    for _ in range(times):
        await peer.say(octets)
        await asyncio.sleep(seconds_between)


def everything_in(folder: Path) -> list[Path]:
    """What lies directly in a folder."""
    return list(folder.iterdir())


def resident_bytes() -> int:
    """Memory of this process in RAM now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        os.urandom(5000),
        bytes(5000),
    ],
    ids=["http", "tls", "ssh", "random", "zeros"],
)
async def test_bytes_that_are_not_dicom_are_aborted(door: Door, octets: bytes) -> None:
    """A stranger on the port gets an A-ABORT of the service user (AA-1), not silence."""
    async with connected(door.port) as peer:
        await peer.say(octets)

        assert (USER, 0) == await abort_of(peer)


@pytest.mark.parametrize("pdu_type", [0x01, 0x04])
@pytest.mark.parametrize("is_associated", [False, True])
async def test_a_pdu_that_claims_4_gib_costs_no_memory(
    door: Door, pdu_type: int, *, is_associated: bool
) -> None:
    """The length alone ends it; what follows is thrown away and then the connection is cut."""
    async with connected(door.port) as peer:
        if is_associated:
            assert await peer.associate() == A_ASSOCIATE_AC
        before = resident_bytes()
        await peer.say(struct.pack(">BxL", pdu_type, 0xFFFFFFFF))
        assert (await abort_of(peer))[0] == (PROVIDER if is_associated else USER)
        with pytest.raises(ConnectionError):
            await say_often(peer, bytes(MIB // 2), times=400)
        grown = resident_bytes() - before

    assert grown < 32 * MIB


async def test_an_association_request_over_its_budget_is_aborted(door: Door) -> None:
    """64 KiB is more than any honest proposal."""
    async with connected(door.port) as peer:
        await peer.say(struct.pack(">BxL", 1, MAX_ASSOCIATE_BYTES + 1))

        assert (USER, 0) == await abort_of(peer)


async def test_a_request_that_can_not_be_decoded_is_aborted(door: Door) -> None:
    """Items that lie about their length end the association attempt."""
    request = bytearray(associate_rq())
    request[76:78] = b"\xff\xff"
    async with connected(door.port) as peer:
        await peer.say(bytes(request))

        assert (PROVIDER, INVALID_PARAMETER) == await abort_of(peer)


@pytest.mark.parametrize(
    ("octets", "abort"),
    [
        (struct.pack(">BxL", 0x09, 4) + bytes(4), (PROVIDER, UNRECOGNIZED_PDU)),
        (associate_rq(), (PROVIDER, UNEXPECTED_PDU)),
        (struct.pack(">BxL4x", 0x06, 4), (PROVIDER, UNEXPECTED_PDU)),
        (struct.pack(">BxL", 0x05, 400), (PROVIDER, INVALID_PARAMETER)),
        (struct.pack(">BxL", 0x04, 0), (PROVIDER, INVALID_PARAMETER)),
        (struct.pack(">BxL", 0x04, 300 * 1024), (PROVIDER, INVALID_PARAMETER)),
        (struct.pack(">BxLL", 0x04, 100, 0xFFFFFFF0) + bytes(2), (PROVIDER, INVALID_PARAMETER)),
        (struct.pack(">BxLL", 0x04, 100, 1) + bytes(2), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(99, 3, ECHO_RQ)), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(ECHO_CONTEXT, 2, b"data")), (PROVIDER, UNEXPECTED_PARAMETER)),
        (p_data(pdv(ECHO_CONTEXT, 3, b"")), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(ECHO_CONTEXT, 3, b"x" * 50)), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(ECHO_CONTEXT, 1, bytes(20_000))), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(1, 3, store_rq("1.2")), pdv(3, 2, b"x")), (PROVIDER, INVALID_PARAMETER)),
        (p_data(pdv(1, 3, store_rq("1.2")), pdv(1, 3, b"x")), (PROVIDER, UNEXPECTED_PARAMETER)),
        (message(request_rq(0x8001)), (PROVIDER, UNEXPECTED_PARAMETER)),
    ],
    ids=[
        "unknown PDU", "second request", "release response", "long release", "empty P-DATA",
        "P-DATA over budget", "PDV of 4 GiB", "PDV of 1 byte", "context not accepted",
        "data without command", "empty command", "command of rubbish", "command over budget",
        "message changes context", "command in a data set", "response to nothing",
    ],
)  # fmt: skip
async def test_a_broken_association_is_aborted_with_its_reason(
    door: Door, octets: bytes, abort: tuple[int, int]
) -> None:
    """Each way to break PS3.7 or PS3.8 has its abort source and reason."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(octets)

        assert abort == await abort_of(peer)
    assert door.held() == []


async def test_a_wrong_group_length_is_aborted(door: Door) -> None:
    """A command set whose group length lies is not believed in any part."""
    lying = bytearray(store_rq("1.2.3"))
    lying[8:12] = struct.pack("<L", 4)
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(bytes(lying), b"content"))

        assert (PROVIDER, INVALID_PARAMETER) == await abort_of(peer)


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "/etc/passwd", "..", "1.2/../3"])
async def test_a_uid_never_builds_a_path(door: Door, tmp_path: Path, uid: str) -> None:
    """Kept under a name of ours, inside the spool; the UID is only a text in the row."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq(uid), b"content"))
        assert await peer.hear_status() == 0
        await peer.release()
    (row,) = door.registrar.rows

    assert uid == row.sop_instance_uid
    assert [door.bytes_of(row)] == door.held()
    assert [door.spool.folder] == everything_in(tmp_path)


@pytest.mark.parametrize(
    ("command_set", "content"),
    [
        (store_rq(""), b"content"),
        (store_rq("1" * 129), b"content"),
        (store_rq("1.2\x01.3"), b"content"),
        (store_rq("1.2.3", sop_class=""), b"content"),
        (store_rq("1.2.3", data_set_type=0x0101), b""),
    ],
    ids=["empty UID", "absurd UID", "control character", "no SOP class", "no data set"],
)
async def test_an_object_without_a_name_is_refused(
    door: Door, command_set: bytes, content: bytes
) -> None:
    """0xC000, and the association goes on."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(command_set, content))
        assert await peer.hear_status() == 0xC000
        await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
        assert await peer.hear_status() == 0
    assert door.held() == []


async def test_an_empty_data_set_is_refused(door: Door) -> None:
    """A data set of no bytes is not an object."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.3")) + p_data(pdv(STORE_CONTEXT, 2, b"")))

        assert await peer.hear_status() == 0xC000


@pytest.mark.parametrize(
    ("command_field", "status"),
    [(0x0020, 0x0211), (0x0021, 0x0211), (0x0010, 0x0211), (0x0140, 0x0211), (0x0030, 0x0211)],
    ids=["C-FIND", "C-MOVE", "C-GET", "N-CREATE", "C-ECHO on a storage context"],
)
@pytest.mark.parametrize("content", [b"", b"identifier"])
async def test_an_operation_we_do_not_serve_is_told_so(
    door: Door, command_field: int, status: int, content: bytes
) -> None:
    """Unrecognized operation, with or without a data set, and the association goes on."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        data_set_type = 1 if content else 0x0101
        await peer.say(message(request_rq(command_field, data_set_type=data_set_type), content))
        assert status == await peer.hear_status()
        await peer.say(message(store_rq("1.2.3"), b"content"))
        assert await peer.hear_status() == 0


async def test_a_sop_class_nobody_accepted_is_refused(door: Door) -> None:
    """An unknown class in the command is not smuggled in through a known context."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.3", sop_class="1.2.3.4"), b"content"))

        assert await peer.hear_status() == 0x0122


@pytest.mark.parametrize("n_bytes", [500, 3 * MIB])
@pytest.mark.parametrize("how", _LAST_WORDS)
async def test_an_association_that_ends_mid_object_leaves_nothing(
    door: Door, n_bytes: int, how: str
) -> None:
    """The partial object goes; the one acknowledged before it stays."""
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.1"), b"whole"))
        assert await peer.hear_status() == 0
        await peer.say(message(store_rq("1.2.2")))
        for _ in range(n_bytes // 500):
            await peer.say(p_data(pdv(STORE_CONTEXT, 0, bytes(500))))
        await peer.say(_LAST_WORDS[how])
    await eventually(lambda: door.listener.n_associations == 0)
    await eventually(lambda: len(door.held()) == 1)

    assert ["1.2.1"] == [row.sop_instance_uid for row in door.registrar.rows]


async def test_requests_sent_ahead_are_answered_in_turn(door: Door) -> None:
    """A sender that ignores the declined window loses nothing: one request at a time, in order."""
    n_objects = 30
    async with connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(
            b"".join(message(store_rq(f"1.2.{n}"), os.urandom(40_000)) for n in range(n_objects))
        )
        statuses = [await peer.hear_status() for _ in range(n_objects)]

    assert [0] * n_objects == statuses
    assert [f"1.2.{n}" for n in range(n_objects)] == [
        r.sop_instance_uid for r in door.registrar.rows
    ]


async def test_a_peer_that_reads_no_answers_is_held_up(door: Door) -> None:
    """Requests are not taken faster than answers are read, so that no queue of answers grows."""
    echo = message(ECHO_RQ, context_id=ECHO_CONTEXT)
    loop = asyncio.get_running_loop()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        await loop.sock_connect(deaf, ("127.0.0.1", door.port))
        await loop.sock_sendall(deaf, associate_rq())
        await eventually(lambda: door.listener.n_associations == 1)
        (transport,) = door.transports()
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        flood = asyncio.create_task(loop.sock_sendall(deaf, echo * 500_000))
        await eventually(lambda: not transport.is_reading(), 20)
        flood.cancel()

        assert transport.get_write_buffer_size() < MIB


async def test_a_slow_loris_is_cut_before_it_associates(tmp_path: Path) -> None:
    """ARTIM counts from the connection, however often a byte trickles in."""
    async with open_door(tmp_path, artim_seconds=0.5) as door, connected(door.port) as peer:
        await peer.say(struct.pack(">BxL", 1, 1000))
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            await say_often(peer, b"\0", times=200, seconds_between=0.02)

        assert asyncio.get_running_loop().time() - started < 2


@pytest.mark.parametrize(
    "prefix",
    [b"", b"\x04", message(store_rq("1.2"))[:30], message(store_rq("1.2"), b"x" * 50)[:-9]],
)
async def test_a_message_that_stops_half_way_is_given_up(tmp_path: Path, prefix: bytes) -> None:
    """A stalled object and an association idle for too long end with an abort, and are counted."""
    async with (
        open_door(tmp_path, pdu_progress_seconds=0.3, idle_seconds=0.6) as door,
        connected(door.port) as peer,
    ):
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(prefix)

        assert (USER, 0) == await abort_of(peer)
        assert door.count("sonogate_associations_ended_total", result="timed_out") == 1
        assert door.held() == []


async def test_an_association_over_its_byte_budget_is_aborted(tmp_path: Path) -> None:
    """A sender that never ends is ended; what it was told is kept stays."""
    async with (
        open_door(tmp_path, max_association_bytes=100_000) as door,
        connected(door.port) as peer,
    ):
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.1"), bytes(60_000)))
        assert await peer.hear_status() == 0
        await peer.say(message(store_rq("1.2.2"), bytes(60_000)))

        assert (PROVIDER, 0) == await abort_of(peer)
        await eventually(lambda: len(door.held()) == 1)


async def test_a_flood_of_connections_is_bounded(tmp_path: Path) -> None:
    """Beyond the limit and its spare room connections are closed at once."""
    async with open_door(tmp_path, max_associations=1) as door:
        peers = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(80)]
        await eventually(lambda: sum(reader.at_eof() for reader, _writer in peers) >= 10)
        for _reader, writer in peers:
            writer.close()


@pytest.mark.parametrize("max_pdu_bytes", [0, 7, 20, 128])
async def test_an_answer_fits_the_peers_pdus(door: Door, max_pdu_bytes: int) -> None:
    """A peer that takes only small PDUs gets its answer in pieces."""
    async with connected(door.port) as peer:
        await peer.associate(associate_rq(max_pdu_bytes=max_pdu_bytes))
        await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
        answer, control = b"", 0
        while not control & 2:
            pdu_type, body = await peer.hear()
            assert pdu_type == 4
            assert max_pdu_bytes == 0 or len(body) <= max_pdu_bytes
            answer, control = answer + body[6:], body[5]

    assert struct.pack("<HHLH", 0, 0x0900, 2, 0) in answer
