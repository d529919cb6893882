"""The locked door: who gets in, what the others are told, and that it is the same door inside."""

import asyncio
import gc
import os
import socket
import ssl
import sys
import threading
import time
import warnings
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundImageStorage

from sonogate.receive.spool.files import Block, SpoolFile
from sonogate.receive.tls_files import TLS_1_2_CIPHERS
from sonogate.settings import MIB
from tests.integration.test_receive_pynetdicom import instance
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
    store_rq,
)
from tests.service.receive.keys import Authority, Pair, lock

pytestmark = pytest.mark.integration

A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ABORT = 2, 3, 7


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the door and for the carts."""
    return Authority(tmp_path)


def client(authority: Authority, shown: Pair | None = None) -> ssl.SSLContext:
    """What a cart trusts and shows."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


@asynccontextmanager
async def secured(port: int, context: ssl.SSLContext) -> AsyncIterator[Peer]:
    """Connect over TLS for the time of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def assert_open_to(door: Door, context: ssl.SSLContext) -> None:
    """An association over TLS is accepted, answers a C-ECHO and is released."""
    async with secured(door.port, context) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
        assert await peer.hear_status() == 0
        assert await peer.release() == 6


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("asks", [False, True])
async def test_pynetdicom_pushes_through_a_locked_door(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, *, asks: bool
) -> None:
    """An application entity of pynetdicom's stores over TLS 1.2 and 1.3, shown a card or not."""
    context = client(authority, authority.vouch("cart") if asks else None)
    context.maximum_version = version

    def push(port: int) -> list[int]:
        ae = AE(ae_title="CART")
        ae.add_requested_context(UltrasoundImageStorage)
        assoc = ae.associate("127.0.0.1", port, tls_args=(context, "127.0.0.1"))
        statuses = [assoc.send_c_store(instance(text="x" * 10_000)).Status for _ in range(3)]
        assoc.release()
        return statuses

    locked = lock(authority.door(), authority if asks else None)
    async with open_door(tmp_path, **locked) as door:
        assert [0, 0, 0] == await asyncio.to_thread(push, door.port)
        assert 3 == len(door.registrar.rows)
        assert door.count("sonogate_associations_ended_total", result="released") == 1


def test_only_the_profiles_suites_are_offered(authority: Authority, tmp_path: Path) -> None:
    """TLS 1.2 speaks the four suites of RFC 9325 and no other; nothing is below 1.2."""
    from sonogate.receive.tls import make_context
    from sonogate.settings import ListenerSettings

    context = make_context(ListenerSettings.model_validate(lock(authority.door(), authority)))
    assert context is not None
    offered = {c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"}

    assert set(TLS_1_2_CIPHERS) == offered
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert ssl.CERT_REQUIRED == context.verify_mode
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_TICKET):
        assert option in context.options


async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(
    authority: Authority, tmp_path: Path
) -> None:
    """A cart may send its A-ASSOCIATE-RQ in the same packet as its last handshake message."""
    context = client(authority)

    def knock(port: int) -> int:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port), 10) as wire:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    wire.sendall(outgoing.read())
                    incoming.write(wire.recv(65536))
            tls.write(associate_rq())
            wire.sendall(outgoing.read())
            while True:
                try:
                    return tls.read(1)[0]
                except ssl.SSLWantReadError:
                    incoming.write(wire.recv(65536))

    async with open_door(tmp_path, **lock(authority.door())) as door:
        for _ in range(5):
            assert A_ASSOCIATE_AC == await asyncio.to_thread(knock, door.port)


Knock = Callable[[int, Authority, Authority], None]


def say_plain(octets: bytes) -> Knock:
    """Knock without TLS."""

    def knock(port: int, _ours: Authority, _foreign: Authority) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as wire:
            wire.sendall(octets)
            with suppress(ConnectionError):
                while wire.recv(4096):
                    pass

    return knock


def shake_hands(context: ssl.SSLContext, port: int) -> None:
    """Knock with TLS, to the end; the refusal may come after our own half."""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as wire,
        context.wrap_socket(wire, server_hostname="127.0.0.1") as tls,
    ):
        tls.recv(1)


def quietly(context: ssl.SSLContext, port: int) -> None:
    """Knock, and take what comes."""
    with suppress(OSError):
        shake_hands(context, port)


def old_version(port: int, ours: Authority, _foreign: Authority) -> None:
    """Speak TLS 1.1."""
    context = client(ours, ours.vouch("cart"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    quietly(context, port)


def old_cipher(port: int, ours: Authority, _foreign: Authority) -> None:
    """Speak TLS 1.2 with a CBC suite."""
    context = client(ours, ours.vouch("cart"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    quietly(context, port)


def no_certificate(port: int, ours: Authority, _foreign: Authority) -> None:
    """Show nothing."""
    quietly(client(ours), port)


def expired(port: int, ours: Authority, _foreign: Authority) -> None:
    """Show what held until yesterday."""
    quietly(client(ours, ours.vouch("late", for_days=-1)), port)


def foreign(port: int, ours: Authority, other: Authority) -> None:
    """Show what somebody else vouches for."""
    quietly(client(ours, other.vouch("stranger")), port)


def distrust(port: int, ours: Authority, other: Authority) -> None:
    """Trust somebody else."""
    quietly(client(other, ours.vouch("cart")), port)


def hang_up(port: int, _ours: Authority, _foreign: Authority) -> None:
    """Connect and close, as a monitor does."""
    socket.create_connection(("127.0.0.1", port), 5).close()


@pytest.mark.parametrize(
    ("knock", "reason"),
    [
        (say_plain(associate_rq()), "not_tls"),
        (say_plain(b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n"), "not_tls"),
        (say_plain(b"\x00" * 4096), "not_tls"),
        (old_version, "protocol_version"),
        (old_cipher, "no_common_cipher"),
        (no_certificate, "no_certificate"),
        (expired, "certificate_expired"),
        (foreign, "certificate_not_trusted"),
        (distrust, "refused_by_peer"),
        (hang_up, "lost"),
    ],
    ids=[
        "plain DICOM", "HTTP", "zeros", "TLS 1.1", "old cipher", "no certificate", "expired",
        "foreign authority", "peer trusts another", "hung up",
    ],
)  # fmt: skip
async def test_who_does_not_fit_the_lock_stays_outside(
    authority: Authority, tmp_path: Path, knock: Knock, reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each is refused and counted by its reason, the log names no secret, and the next gets in."""
    other = Authority(tmp_path, "other")
    cart = authority.vouch("cart-of-dr-secret")
    async with open_door(tmp_path, **lock(authority.door(), authority)) as door:
        await asyncio.to_thread(knock, door.port, authority, other)
        await eventually(lambda: door.count("sonogate_tls_refused_total", reason=reason) == 1)
        await assert_open_to(door, client(authority, cart))
        await eventually(lambda: not door.listener._acceptor.connections)

    said = "".join(capsys.readouterr())
    assert "tls_refused" in said
    assert reason in said
    for secret in ("secret", "stranger", "PRIVATE", "GET /", "hospital.example"):
        assert secret not in said


@pytest.mark.parametrize(
    ("knock", "alert"),
    [
        (no_certificate, "certificate required"),
        (expired, "certificate expired"),
        (foreign, "unknown ca"),
        (old_version, "protocol version"),
        (old_cipher, "handshake failure"),
    ],
)
async def test_a_refused_peer_is_told_why(
    authority: Authority, tmp_path: Path, knock: Knock, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alert reaches the cart, so that its own log names the cause."""
    told: list[str] = []

    def shake(context: ssl.SSLContext, port: int) -> None:
        with pytest.raises(ssl.SSLError) as caught:
            shake_hands(context, port)
        told.append((caught.value.reason or "").replace("_", " ").lower())

    other, here = Authority(tmp_path, "other"), sys.modules[__name__]
    async with open_door(tmp_path, **lock(authority.door(), authority)) as door:
        monkeypatch.setattr(here, "quietly", shake)
        await asyncio.to_thread(knock, door.port, authority, other)

    assert told[0].endswith(alert)


async def test_a_handshake_that_never_ends_is_cut_off(authority: Authority, tmp_path: Path) -> None:
    """Silence, and a ClientHello that stops half-way, end with ARTIM; a third cart comes in."""
    locked = lock(authority.door())
    async with (
        open_door(tmp_path, artim_seconds=0.4, **locked) as door,
        connected(door.port) as silent,
        connected(door.port) as half,
    ):
        await half.say(b"\x16\x03\x01\x02\x00\x01\x00")
        await assert_open_to(door, client(authority))
        assert (0, b"") == await silent.hear(3)
        assert (0, b"") == await half.hear(3)
        await eventually(lambda: door.count("sonogate_tls_refused_total", reason="timed_out") == 2)
        assert not door.listener._acceptor.connections


async def test_silence_after_the_handshake_is_cut_off_too(
    authority: Authority, tmp_path: Path
) -> None:
    """ARTIM goes on inside the door; a peer that never says goodbye is closed all the same."""
    locked = lock(authority.door())
    async with open_door(tmp_path, artim_seconds=0.3, **locked) as door:

        def knock() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", door.port), 5) as wire,
                client(authority).wrap_socket(wire, server_hostname="127.0.0.1") as tls,
            ):
                return tls.recv(1)

        assert b"" == await asyncio.to_thread(knock)
        await eventually(lambda: not door.listener._acceptor.connections)
        await assert_open_to(door, client(authority))


async def test_handshakes_take_places_too(authority: Authority, tmp_path: Path) -> None:
    """Peers that begin and never end their handshake are bounded like any connection."""
    async with open_door(tmp_path, max_associations=1, **lock(authority.door())) as door:
        wires = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(70)]
        await eventually(lambda: len(door.listener._acceptor.connections) == 65)
        for _reader, writer in wires:
            writer.close()
        await eventually(lambda: not door.listener._acceptor.connections)
        await assert_open_to(door, client(authority))


async def test_stopping_a_locked_door_answers_what_is_under_way(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object under way is acknowledged, the idle one aborted, a half handshake closed."""
    is_done, real_sync = threading.Event(), os.fdatasync

    def sync(descriptor: int) -> None:
        is_done.wait(10)
        real_sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    context = client(authority)
    async with (
        open_door(tmp_path, **lock(authority.door())) as door,
        secured(door.port, context) as idle,
        secured(door.port, context) as busy,
        connected(door.port) as half,
    ):
        assert [2, 2] == [await idle.associate(), await busy.associate()]
        await busy.say(message(store_rq("1.2.3"), b"x" * 50_000))
        await eventually(lambda: len(door.held()) == 1)
        started = time.monotonic()
        stopping = asyncio.create_task(door.listener.stop())
        assert A_ABORT == (await idle.hear())[0]
        assert (0, b"") == await half.hear()
        is_done.set()
        assert 0 == await busy.hear_status()
        assert A_ABORT == (await busy.hear())[0]
        await stopping
        assert time.monotonic() - started < 4
        assert door.listener.n_associations == 0


@pytest.mark.slow
async def test_a_stuck_disk_holds_a_locked_sender_up(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be written, no more than buffers' worth is taken, and none is lost."""
    is_stuck, real_write = threading.Event(), SpoolFile.write
    is_stuck.set()

    def stuck_write(file: SpoolFile, blocks: Iterable[Block]) -> None:
        while is_stuck.is_set():
            time.sleep(0.01)
        real_write(file, blocks)

    monkeypatch.setattr(SpoolFile, "write", stuck_write)
    piece, n_pieces = p_data(pdv(STORE_CONTEXT, 0, os.urandom(200_000))), 500
    n_sent = 0

    async with (
        open_door(tmp_path, **lock(authority.door())) as door,
        secured(door.port, client(authority)) as peer,
    ):
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.3")))

        async def send() -> None:
            nonlocal n_sent
            for _ in range(n_pieces):
                await peer.say(piece)
                n_sent += 1
            await peer.say(p_data(pdv(STORE_CONTEXT, 2, b"end.")))

        sending = asyncio.create_task(send())
        await asyncio.sleep(1.0)
        at_rest = n_sent
        await asyncio.sleep(0.5)
        assert at_rest == n_sent < n_pieces
        assert n_sent * 200_000 < 40 * MIB  # most of it in the kernel's two buffers
        (transport,) = door.transports()
        below = transport._ssl_protocol  # type: ignore[attr-defined]
        assert not transport.is_reading()
        assert below._incoming.pending < 1 * MIB
        is_stuck.clear()
        await sending
        assert await peer.hear_status() == 0
        assert len(door.held()[0]) > n_pieces * 200_000


def n_tls_buffers() -> int:
    """Count asyncio's TLS protocols, each with a buffer of 256 KiB, that anything refers to."""
    return sum(isinstance(each, SSLProtocol) for each in gc.get_objects())


async def test_what_ended_waits_for_no_garbage_collector(
    authority: Authority, tmp_path: Path
) -> None:
    """Short associations and refused handshakes hold no memory once they are over."""
    cart = client(authority, authority.vouch("cart"))

    def knock(port: int) -> None:
        for _ in range(5):
            quietly(client(authority), port)
            say_plain(b"GET / HTTP/1.1")(port, authority, authority)
            hang_up(port, authority, authority)
            with (
                socket.create_connection(("127.0.0.1", port), 5) as wire,
                cart.wrap_socket(wire, server_hostname="127.0.0.1") as tls,
            ):
                tls.sendall(associate_rq())
                assert A_ASSOCIATE_AC == tls.recv(1)[0]

    before = n_tls_buffers()
    async with open_door(tmp_path, **lock(authority.door(), authority)) as door:
        gc.collect()
        gc.disable()
        try:
            await asyncio.to_thread(knock, door.port)
            await eventually(lambda: not door.listener._acceptor.connections)
            await asyncio.sleep(0.05)
            assert n_tls_buffers() <= before
        finally:
            gc.enable()


async def test_a_certificate_opens_only_its_own_place(authority: Authority, tmp_path: Path) -> None:
    """A cart with a good certificate that is another's is told that its AE title is unknown."""
    mine, another = authority.vouch("cart1"), authority.vouch("cart2")
    senders = [{"ae_title": "CART", "certificate": "cart1.hospital.example"}]
    locked = lock(authority.door(), authority)
    async with open_door(tmp_path, senders=senders, **locked) as door:
        await assert_open_to(door, client(authority, mine))
        async with secured(door.port, client(authority, another)) as peer:
            await peer.say(associate_rq())
            assert (A_ASSOCIATE_RJ, bytes([0, 1, 1, 3])) == await peer.hear()
        assert door.count("sonogate_associations_refused_total", rule="certificate") == 1


async def test_a_resumed_session_has_the_certificate_it_began_with(
    authority: Authority, tmp_path: Path
) -> None:
    """TLS 1.2 resumes by id without showing the certificate again; it is still bound to it."""
    senders = [{"ae_title": "CART", "certificate": "cart1"}]

    def knock(port: int, context: ssl.SSLContext) -> list[tuple[bool | None, int]]:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session, answers = None, []
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), 5) as wire:
                tls = context.wrap_socket(wire, server_hostname="127.0.0.1", session=session)
                tls.sendall(associate_rq())
                answers.append((tls.session_reused, tls.recv(1)[0]))
                session = tls.session
                tls.sendall(bytes.fromhex("07000000000400000000"))
                with suppress(OSError):
                    while tls.recv(4096):
                        pass
                tls.close()
        return answers

    async with open_door(tmp_path, senders=senders, **lock(authority.door(), authority)) as door:
        one, two = (client(authority, authority.vouch(name)) for name in ("cart1", "cart2"))
        for context, answer in ((one, A_ASSOCIATE_AC), (two, A_ASSOCIATE_RJ)):
            answers = await asyncio.to_thread(knock, door.port, context)
            assert [(False, answer), (True, answer)] == answers


def shown_by(port: int, context: ssl.SSLContext) -> bytes:
    """Return the certificate that the door shows now."""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as wire,
        context.wrap_socket(wire, server_hostname="127.0.0.1") as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


async def test_a_new_certificate_is_taken_without_a_restart(
    authority: Authority, tmp_path: Path
) -> None:
    """The next connection sees it, the association under way goes on; a broken file is not used."""
    context, pair = client(authority), authority.door()
    async with (
        open_door(tmp_path, **lock(pair)) as door,
        secured(door.port, context) as old,
    ):
        certificates = door.listener.certificates
        assert await old.associate() == A_ASSOCIATE_AC
        before = await asyncio.to_thread(shown_by, door.port, context)

        pair.key.write_text("not a key")
        await certificates.look()
        assert before == await asyncio.to_thread(shown_by, door.port, context)
        assert not certificates.check().ok
        assert "listener.tls_key" in certificates.check().detail

        authority.door()
        await certificates.look()
        after = await asyncio.to_thread(shown_by, door.port, context)
        assert before != after
        assert certificates.check().ok
        await certificates.look()
        assert after == await asyncio.to_thread(shown_by, door.port, context)
        await old.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
        assert await old.hear_status() == 0
