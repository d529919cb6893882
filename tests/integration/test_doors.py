"""Several processes on one DICOM port: one gate to every cart, whatever becomes of one of them."""

import asyncio
import errno
import hashlib
import os
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from sonogate.domain.instance import ReceivedInstance
from sonogate.errors import DoorKilledError, GateError
from sonogate.housekeeping import Housekeeping
from sonogate.receive.doors import keeper as keeper_module
from sonogate.receive.doors import process as process_module
from sonogate.receive.doors.keeper import Doors
from sonogate.receive.doors.sockets import close_all, listen_together
from sonogate.receive.spool.names import owner_of
from sonogate.store import registrar as registrar_module
from sonogate.store.records import DeliveryTargets
from tests.acceptance.cart import Cart
from tests.acceptance.test_kill_doors import left_of
from tests.integration.test_receive_dcmtk import EXPLICIT, run, write_object
from tests.integration.test_receive_tls import A_ASSOCIATE_AC, client, secured, shown_by
from tests.integration.ward import Heard, Ward, ask, calling, created, image, open_ward, store
from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    STORE_CONTEXT,
    Peer,
    associate_rq,
    bytes_of,
    connected,
    eventually,
    message,
    p_data,
    pdv,
    store_rq,
)
from tests.service.receive.keys import Authority, lock

pytestmark = pytest.mark.integration

A_ASSOCIATE_RJ, A_ABORT = 3, 7
OUT_OF_RESOURCES = 0xA700
N_CARTS = 4


def open_doors(folder: Path, listener: dict[str, Any] | None = None, **settings: Any) -> Any:
    """Run a ward whose port two processes share."""
    return open_ward(folder, listener={"processes": 2, **(listener or {})}, **settings)


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """A ward with two doors."""
    async with open_doors(tmp_path) as ward:
        yield ward


async def rows_of(ward: Ward) -> list[ReceivedInstance]:
    """What the database knows, once it knows all that was announced."""
    await ward.registrar.caught_up()
    return await ward.database.read(all_rows)


def all_rows(tx: Any) -> list[ReceivedInstance]:
    """Every object's row."""
    from sqlalchemy import select

    from sonogate.store.object_rows import to_received
    from sonogate.store.tables import objects

    return [to_received(row) for row in tx.spooled_bytes._connection.execute(select(objects))]


def damaged(ward: Ward, rows: list[ReceivedInstance]) -> list[str]:
    """The objects whose bytes are not those that were hashed."""
    return [
        str(row.sop_instance_uid)
        for row in rows
        if hashlib.sha256(content_of(bytes_of(ward.spool, row))).hexdigest() != row.content_sha256
    ]


def content_of(octets: bytes) -> bytes:
    """The data set behind preamble and file meta (PS3.10 7.1)."""
    return octets[144 + int.from_bytes(octets[140:144], "little") :]


def owners_in(ward: Ward) -> set[str]:
    """Who wrote a segment."""
    return {owner_of(path.name) for path in (ward.spool.folder / "segments").iterdir()}


def doors_of(ward: Ward) -> Doors:
    """The keeper of the doors."""
    assert isinstance(ward.listener, Doors)
    return ward.listener


async def all_open(ward: Ward, but: int = 0) -> None:
    """Wait until both doors answer, neither of them the process `but`."""
    doors = doors_of(ward)
    await eventually(lambda: len(doors.process_ids) == 2 and but not in doors.process_ids, 60)


async def test_four_carts_push_at_once(
    ward: Ward, need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """DCMTK's storescu, an association for each object: all are kept whole, at both doors."""
    paths = [write_object(tmp_path, EXPLICIT, n_bytes=256 * 100) for _ in range(4 * N_CARTS)]

    async def push(share: list[Path]) -> list[int]:
        command = (need_tool("storescu"), "-xe", "127.0.0.1", str(ward.port))
        return [(await run(*command, str(path)))[0] for path in share]

    codes = await asyncio.gather(*(push(paths[number::N_CARTS]) for number in range(N_CARTS)))
    rows = await rows_of(ward)

    assert {0} == {code for share in codes for code in share}
    assert {path.stem for path in paths} == {row.sop_instance_uid for row in rows}
    assert [] == damaged(ward, rows)
    assert {"D1", "D2"} == owners_in(ward)
    await eventually(
        lambda: len(paths) == ward.count("sonogate_associations_ended_total", result="released")
    )
    await eventually(lambda: len(paths) == ward.count("sonogate_keep_seconds_count"))
    assert len(paths) == ward.count("sonogate_received_total", calling_ae="STORESCU", result="kept")
    assert 0 == ward.count("sonogate_associations") == ward.listener.n_associations


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_killed_door_loses_nothing(ward: Ward) -> None:
    """Doors are killed in the middle of pushes; what was acknowledged is there, others go on."""
    n_kills, is_over = 3, asyncio.Event()
    carts = [Cart(ward.port, f"CART{number}") for number in range(N_CARTS)]

    async def push(cart: Cart) -> None:
        while not is_over.is_set():
            await asyncio.to_thread(cart.push, [image(generate_uid()) for _ in range(10)])

    pushing = [asyncio.create_task(push(cart)) for cart in carts]
    for _ in range(n_kills):
        await all_open(ward)
        goal = n_acknowledged(carts) + 20
        await eventually(partial(has_reached, carts, goal), 60)
        victim = doors_of(ward).process_ids[0]
        os.kill(victim, signal.SIGKILL)
        await all_open(ward, but=victim)
    is_over.set()
    await asyncio.gather(*pushing)
    rows = await rows_of(ward)
    acknowledged = {uid for cart in carts for uid in cart.acknowledged}

    assert set() == acknowledged - {row.sop_instance_uid for row in rows}
    assert [] == damaged(ward, rows)
    assert Counter() == Counter(row.object_id for row in rows) - Counter(
        {row.object_id for row in rows}
    )
    assert n_kills == ward.count("sonogate_door_restarts_total")
    assert {0} == set(await asyncio.to_thread(store, ward.port, [image(generate_uid())]))


def n_acknowledged(carts: list[Cart]) -> int:
    """How many objects carts know to be kept."""
    return sum(len(cart.acknowledged) for cart in carts)


def has_reached(carts: list[Cart], goal: int) -> bool:
    """Whether so many objects are acknowledged."""
    return n_acknowledged(carts) >= goal


async def test_places_are_the_whole_gates(tmp_path: Path) -> None:
    """A sender's limit holds over both doors; what a dead door held is given back."""
    most = 5
    async with (
        open_doors(tmp_path, {"max_sender_associations": most}) as ward,
        AsyncExitStack() as stack,
    ):
        peers = [await stack.enter_async_context(connected(ward.port)) for _ in range(16)]
        answers = [await peer.associate() for peer in peers]
        assert {A_ASSOCIATE_AC: most, A_ASSOCIATE_RJ: 16 - most} == Counter(answers)
        assert most == ward.listener.n_associations == ward.count("sonogate_associations")
        held = [peer for peer, answer in zip(peers, answers, strict=True) if answer == 2]
        victim = doors_of(ward).process_ids[0]
        os.kill(victim, signal.SIGKILL)
        await all_open(ward, but=victim)
        alive = [peer for peer in held if await is_answered(peer)]
        assert len(alive) == ward.listener.n_associations
        more = [await stack.enter_async_context(connected(ward.port)) for _ in range(most)]
        answers = [await peer.associate() for peer in more]
        assert most - len(alive) == Counter(answers)[A_ASSOCIATE_AC]


async def is_answered(peer: Peer) -> bool:
    """Whether a C-ECHO on an association is answered."""
    try:
        await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
    except ConnectionError:
        return False
    return (await peer.hear())[0] == 4


async def test_the_total_is_the_whole_gates(tmp_path: Path) -> None:
    """So is the limit on all associations; a rule that was broken is counted."""
    async with (
        open_doors(tmp_path, {"max_associations": 3}) as ward,
        AsyncExitStack() as stack,
    ):
        peers = [await stack.enter_async_context(connected(ward.port)) for _ in range(10)]
        rqs = [associate_rq(calling_ae=f"CART{number}") for number in range(10)]
        answers = [await peer.associate(rq) for peer, rq in zip(peers, rqs, strict=True)]
        await eventually(
            lambda: 7 == ward.count("sonogate_associations_refused_total", rule="associations")
        )

    assert {A_ASSOCIATE_AC: 3, A_ASSOCIATE_RJ: 7} == Counter(answers)


async def test_who_left_while_asking_holds_no_place(ward: Ward) -> None:
    """The connection ends before the gate's answer is there: the place is given back."""
    for _ in range(20):
        async with connected(ward.port) as peer:
            await peer.say(associate_rq())
    await eventually(lambda: 0 == ward.listener.n_associations)
    assert 0 == ward.count("sonogate_associations")


async def test_steps_and_commitment_go_through_a_door(tmp_path: Path) -> None:
    """An N-CREATE is kept; a request is answered and reported on the association that asked."""
    images, heard, study = [image(generate_uid())], Heard(), generate_uid()

    def work(ward: Ward) -> list[int]:
        with calling(ward.port, heard.handlers) as association:
            create = association.send_n_create(
                created(study), ModalityPerformedProcedureStep, generate_uid()
            )
            stored = association.send_c_store(images[0])
            answer = ask_on(association, images)
            heard.wait()
            deadline = time.monotonic() + 5  # released before, the peer's answer would be lost
            while not n_reported(ward) and time.monotonic() < deadline:
                time.sleep(0.01)
            return [create[0].Status, stored.Status, answer.Status]

    async with open_doors(tmp_path, commitment={"report_port": 0}) as ward:
        assert [0, 0, 0] == await asyncio.to_thread(work, ward)
        assert 1 == heard.reports[0][0]
        assert 1 == n_reported(ward)
        assert 1 == ward.count("sonogate_mpps_messages_total", message="n_create", result="taken")
        assert 0 == await asyncio.to_thread(ask, ward.port, images)


def n_reported(ward: Ward) -> float:
    """Return how many reports were answered on the association that asked."""
    return ward.count("sonogate_commitment_reports_total", result="same_association")


def ask_on(association: Any, images: list[Dataset]) -> Any:
    """Ask for commitment on an open association."""
    from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

    from tests.integration.ward import asked

    answer, _ = association.send_n_action(
        asked(images), 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    return answer


async def test_a_locked_port_takes_new_certificates(tmp_path: Path) -> None:
    """Mutual TLS at both doors; told to look again, both show the new one and let carts in."""
    authority = Authority(tmp_path)
    context = client(authority, authority.vouch("cart"))
    async with open_doors(tmp_path, lock(authority.door(), authority)) as ward:

        async def shown() -> set[bytes]:
            return {await asyncio.to_thread(shown_by, ward.port, context) for _ in range(12)}

        before = await shown()
        authority.door()
        ward.listener.reload()
        await asyncio.sleep(0.3)
        after = await shown()
        async with secured(ward.port, context) as peer:
            assert await peer.associate() == A_ASSOCIATE_AC
            assert await peer.release() == 6
        await asyncio.to_thread(knock_without, ward.port, client(authority))
        await eventually(
            lambda: 1 == ward.count("sonogate_tls_refused_total", reason="no_certificate")
        )
        assert ward.listener.certificates.check().ok

    assert (1, 1) == (len(before), len(after))
    assert before != after


def knock_without(port: int, context: ssl.SSLContext) -> None:
    """Shake hands without a certificate, blocking."""
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 5) as wire,
        context.wrap_socket(wire, server_hostname="127.0.0.1") as tls,
    ):
        tls.recv(1)


async def test_success_waits_for_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the gate does not take what a door announces, nothing is acknowledged."""
    async with open_doors(tmp_path, {"keep_seconds": 0.5}) as ward:
        goes_on, announce = asyncio.Event(), ward.registrar.announce

        async def stuck(instance: ReceivedInstance) -> None:
            await goes_on.wait()
            await announce(instance)

        monkeypatch.setattr(ward.registrar, "announce", stuck)
        first = await asyncio.to_thread(store, ward.port, [image(generate_uid())])
        goes_on.set()
        second = await asyncio.to_thread(store, ward.port, [image(generate_uid())])
        rows = await rows_of(ward)

    assert ([OUT_OF_RESOURCES], [0], 2) == (first, second, len(rows))


async def test_a_door_is_told_whether_there_is_room(tmp_path: Path) -> None:
    """Too many objects without a verdict: refused at every door, until fewer wait."""
    study = generate_uid()
    async with open_doors(tmp_path, spool={"max_unjudged": 3, "min_free_bytes": 1}) as ward:
        pushed = [
            (await asyncio.to_thread(store, ward.port, [image(study, number)]))[0]
            for number in range(8)
        ]
        await rows_of(ward)
        full = await asyncio.to_thread(store, ward.port, [image(study, 9)])
        await ward.judge(study)
        again = full
        async with asyncio.timeout(20):
            while again != [0]:
                again = await asyncio.to_thread(store, ward.port, [image(study, 9)])

    assert 3 <= pushed.count(0) <= 4
    assert [OUT_OF_RESOURCES] == full


async def test_what_a_dead_door_kept_is_entered(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durable, but never announced, so never acknowledged: it counts all the same."""
    announce = ward.registrar.announce

    async def fail(_instance: ReceivedInstance) -> None:
        monkeypatch.setattr(ward.registrar, "announce", announce)
        raise RuntimeError("the door will be ended")

    monkeypatch.setattr(ward.registrar, "announce", fail)
    uid = "1.2.3.4"
    async with connected(ward.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq(uid), b"x" * 5000))
        assert (0, b"") == await peer.hear()
    await eventually(
        lambda: 1 == ward.count("sonogate_received_total", calling_ae="CART", result="kept")
    )
    rows = await rows_of(ward)

    assert [uid] == [row.sop_instance_uid for row in rows]
    assert [] == damaged(ward, rows)
    await all_open(ward)
    assert [] == list(
        ward.spool.unsettled(
            rows[0].provenance.received_at.max.replace(tzinfo=rows[0].provenance.received_at.tzinfo)
        )
    )


async def test_what_a_dead_door_announced_is_entered_once(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on its way to the database when its segment is read."""
    monkeypatch.setattr(registrar_module, "GATHER_SECONDS", 2.0)
    images = [image(generate_uid()) for _ in range(4)]
    assert {0} == set(await asyncio.to_thread(store, ward.port, images))
    for process_id in doors_of(ward).process_ids:
        os.kill(process_id, signal.SIGKILL)
    restarts = "sonogate_door_restarts_total"
    await eventually(lambda: 2 == ward.count(restarts) and not doors_of(ward)._takeover.is_busy, 30)
    rows = await rows_of(ward)

    assert len(images) == len(rows)
    assert [] == damaged(ward, rows)
    assert len(images) == ward.count("sonogate_received_total", calling_ae="CART", result="kept")


async def test_a_cine_has_a_file_of_its_own(ward: Ward) -> None:
    """A whole one is found by its name; half of one goes once its door is dead."""
    files = ward.spool.folder / "files"
    async with connected(ward.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2.3"), b"x" * 6_000_000))
        assert 0 == await peer.hear_status()
        (row,) = await rows_of(ward)
        await peer.say(p_data(pdv(STORE_CONTEXT, 0x03, store_rq("1.2.4"))))
        for _ in range(90):
            await peer.say(p_data(pdv(STORE_CONTEXT, 0x00, bytes(100_000))))
        await eventually(lambda: 2 == len(list(files.iterdir())))
        for process_id in doors_of(ward).process_ids:
            os.kill(process_id, signal.SIGKILL)
        await eventually(lambda: 1 == len(list(files.iterdir())), 30)

    assert row.spool_name == f"files/{next(files.iterdir()).name}"
    assert [] == damaged(ward, [row])


async def test_a_segment_that_a_door_writes_is_never_dropped(tmp_path: Path) -> None:
    """All its objects may go, but the next one comes into the same segment."""
    study, later = generate_uid(), generate_uid()
    async with open_doors(tmp_path, spool={"retention_days": 0, "min_free_bytes": 1}) as ward:
        housekeeping = Housekeeping(
            settings=ward.settings,
            database=ward.database,
            spool=ward.spool,
            studies=ward.studies,
            targets=DeliveryTargets(),
            metrics=ward.metrics,
            on_change=lambda: None,
            look_at_certificates=ward.listener.certificates.look,
        )
        with_both = [image(study, number) for number in range(12)]
        for each in with_both:
            await asyncio.to_thread(store, ward.port, [each])
        await rows_of(ward)
        await ward.judge(study)
        await housekeeping.let_go()
        assert set() == await ward.database.read(lambda tx: tx.spooled_bytes.spool_names())
        for number in range(12):
            await asyncio.to_thread(store, ward.port, [image(later, number)])
        rows = [
            row for row in await rows_of(ward) if ward.spool.place_of(row.spool_name)[0].exists()
        ]

        assert 24 == len(rows)
        assert 12 == len(damaged(ward, rows))


async def test_doors_stop_as_one_gate_does(tmp_path: Path) -> None:
    """What is under way is answered and entered, what is idle aborted; no process is left."""
    async with (
        open_doors(tmp_path) as ward,
        connected(ward.port) as idle,
        connected(ward.port) as busy,
    ):
        process_ids = doors_of(ward).process_ids
        assert [2, 2] == [await idle.associate(), await busy.associate()]
        whole = message(store_rq("1.2.3"), b"x" * 50_000)
        await busy.say(whole[:-5000])
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(ward.listener.stop())
        assert A_ABORT == (await idle.hear())[0]
        await busy.say(whole[-5000:])
        assert 0 == await busy.hear_status()
        assert A_ABORT == (await busy.hear())[0]
        await stopping
        assert ["1.2.3"] == [row.sop_instance_uid for row in await rows_of(ward)]

    assert [] == left_of(process_ids)


async def test_a_door_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It is alive and its link whole: killed all the same, and who came to it is answered."""
    async with (
        open_doors(tmp_path, {"door_silent_seconds": 2.0}) as ward,
        AsyncExitStack() as stack,
    ):
        victim, other = doors_of(ward).process_ids
        os.kill(victim, signal.SIGSTOP)
        peers = [await stack.enter_async_context(connected(ward.port)) for _ in range(16)]
        answers = await asyncio.gather(*(associate_late(peer) for peer in peers))
        await all_open(ward, but=victim)
        stored = await asyncio.to_thread(store, ward.port, [image(generate_uid())])
        process_ids = doors_of(ward).process_ids

        assert {A_ASSOCIATE_AC: 16} == Counter(answers)
        assert [0] == stored
        assert other in process_ids
        assert [] == left_of([victim])
        assert 1 == ward.count("sonogate_door_silences_total")
        assert 1 == ward.count("sonogate_door_restarts_total")


async def associate_late(peer: Peer) -> int:
    """Ask for an association and wait long; return the type of the answering PDU."""
    await peer.say(associate_rq())
    return (await peer.hear(60))[0]


async def test_a_door_that_is_held_up_by_the_gate_is_let_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate does not come to reading what it says; that is no silence of the door."""
    async with open_doors(tmp_path, {"door_silent_seconds": 2.0, "keep_seconds": 1.0}) as ward:
        goes_on, announce = asyncio.Event(), ward.registrar.announce
        process_ids = doors_of(ward).process_ids

        async def stuck(instance: ReceivedInstance) -> None:
            await goes_on.wait()
            await announce(instance)

        monkeypatch.setattr(ward.registrar, "announce", stuck)
        held = await asyncio.to_thread(store, ward.port, [image(generate_uid())])
        await asyncio.sleep(4)
        goes_on.set()
        kept = await asyncio.to_thread(store, ward.port, [image(generate_uid())])

        assert ([OUT_OF_RESOURCES], [0]) == (held, kept)
        assert process_ids == doors_of(ward).process_ids
        assert 0 == ward.count("sonogate_door_silences_total")


async def test_a_door_killed_while_the_gate_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each first process is killed before it answers; the gate starts, and serves."""
    marks = tmp_path / "marks"
    marks.mkdir()
    dies_once = (
        f"import os, pathlib, sys; mark = pathlib.Path({str(marks)!r}, sys.argv[2])\n"
        "if not mark.exists(): mark.touch(); os.kill(os.getpid(), 9)\n"
    )
    monkeypatch.setattr(process_module, "START", dies_once + process_module.START)
    async with open_doors(tmp_path / "gate") as ward:
        assert 2 == len(doors_of(ward).process_ids)
        assert 2 == len(list(marks.iterdir()))
        assert [0] == await asyncio.to_thread(store, ward.port, [image(generate_uid())])


async def test_a_door_that_is_always_killed_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few times; the gate does not try for ever without a door."""
    monkeypatch.setattr(keeper_module, "PAUSES_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(process_module, "START", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(DoorKilledError):
        async with open_doors(tmp_path):
            pass


async def test_a_gate_without_doors_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends before it answers is said, and so is a port that is taken."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            async with open_doors(tmp_path, {"port": other.getsockname()[1]}):
                pass
    monkeypatch.setattr(process_module, "START", "raise SystemExit(1)")
    with pytest.raises(GateError, match="did not start"):
        async with open_doors(tmp_path):
            pass


def test_a_port_that_is_taken_is_not_shared() -> None:
    """Not even with one who would share it; a free one is the same for all."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use") as taken:
            listen_together("127.0.0.1", other.getsockname()[1], 2)
    shares = listen_together("127.0.0.1", 0, 3)
    ports = {each.getsockname()[1] for share in shares for each in share}
    close_all(shares)

    assert taken.value.errno == errno.EADDRINUSE
    assert 1 == len(ports)
