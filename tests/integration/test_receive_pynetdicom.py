"""pynetdicom's requestor over a real association: what is answered, and what is on disk by then."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import UltrasoundImageStorage, Verification

from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    Door,
    connected,
    eventually,
    message,
    open_door,
    store_rq,
)

pytestmark = pytest.mark.integration

A_ASSOCIATE_AC = 2


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A listener on a free port."""
    async with open_door(tmp_path) as door:
        yield door


def instance(uid: str | None = None, *, text: str = "") -> Dataset:
    """A small instance; other text makes other bytes."""
    ds = Dataset()
    ds.SOPClassUID = UltrasoundImageStorage
    ds.SOPInstanceUID = UID(uid or generate_uid())
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    ds.ImageComments = text
    ds.PixelData = bytes(1000)
    ds["PixelData"].VR = "OB"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def associate(port: int) -> Association:
    """Open an association, blocking."""
    ae = AE(ae_title="CART")
    ae.add_requested_context(UltrasoundImageStorage, ExplicitVRLittleEndian)
    ae.add_requested_context(Verification)
    assoc = ae.associate("127.0.0.1", port, ae_title="SONOGATE")
    assert assoc.is_established
    return assoc


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk whose syncs wait until the event is set."""
    is_done = threading.Event()
    real_sync = os.fdatasync

    def sync(descriptor: int) -> None:
        is_done.wait(10)
        real_sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    yield is_done
    is_done.set()


def push(port: int, *instances: Dataset) -> list[int]:
    """Send instances over one association and return their statuses, blocking."""
    assoc = associate(port)
    try:
        return [assoc.send_c_store(ds).Status for ds in instances]
    finally:
        assoc.release()


async def test_objects_are_acknowledged_and_kept(door: Door) -> None:
    """Each Success has its row and its bytes; provenance is the association's."""
    statuses = await asyncio.to_thread(push, door.port, instance(), instance(), instance())

    assert [0, 0, 0] == statuses
    assert len(door.registrar.rows) == len(door.held()) == 3
    provenance = door.registrar.rows[0].provenance
    assert ("CART", "SONOGATE", "127.0.0.1") == (
        provenance.calling_ae,
        provenance.called_ae,
        provenance.peer_address,
    )
    assert door.count("sonogate_received_total", calling_ae="CART", result="kept") == 3


async def test_success_waits_for_the_sync(door: Door, slow_disk: threading.Event) -> None:
    """While the disk syncs no Success goes out, though every byte was written."""
    pushing = asyncio.create_task(asyncio.to_thread(push, door.port, instance()))
    await eventually(lambda: len(door.held()) == 1)
    await asyncio.sleep(0.3)
    answered_early = pushing.done()
    slow_disk.set()

    assert not answered_early
    assert [0] == await pushing


async def test_the_same_bytes_again_are_idempotent(door: Door) -> None:
    """A cart that repeats itself is told Success; one file and one row remain."""
    ds = instance()

    assert [0, 0] == await asyncio.to_thread(push, door.port, ds, ds)
    await eventually(lambda: len(door.registrar.rows) == len(door.held()) == 1)
    assert door.count("sonogate_received_total", calling_ae="CART", result="duplicate") == 1


async def test_other_bytes_under_the_same_uid_are_a_conflict(door: Door) -> None:
    """Both are kept and acknowledged, and the conflict is counted."""
    one, other = instance("1.2.3", text="one"), instance("1.2.3", text="other")

    assert [0, 0] == await asyncio.to_thread(push, door.port, one, other)
    assert len(door.registrar.rows) == len(door.held()) == 2
    assert door.count("sonogate_received_total", calling_ae="CART", result="conflict") == 1


async def test_a_full_disk_is_answered_and_the_association_goes_on(tmp_path: Path) -> None:
    """0xA700 for each object, and C-ECHO still works on the same association.

    In our own bytes: pynetdicom's requestor loses the answer of one echo in some two thousand.
    """
    async with open_door(tmp_path, min_free_bytes=2**62) as door, connected(door.port) as peer:
        assert A_ASSOCIATE_AC == await peer.associate()
        statuses = []
        for said in (
            message(store_rq("1.2.3"), bytes(1000)),
            message(store_rq("1.2.4"), bytes(1000)),
            message(ECHO_RQ, context_id=ECHO_CONTEXT),
        ):
            await peer.say(said)
            statuses.append(await peer.hear_status())

        assert [0xA700, 0xA700, 0] == statuses
        assert door.held() == []
        assert door.count("sonogate_received_total", calling_ae="CART", result="refused") == 2


async def test_a_full_backlog_is_answered_and_nothing_stays(door: Door) -> None:
    """A backlog that is full answers 0xA700; after it drained the same object is kept."""
    ds = instance()
    door.registrar.is_full = True
    assert [0xA700] == await asyncio.to_thread(push, door.port, ds)
    assert door.held() == []

    door.registrar.is_full = False
    assert [0] == await asyncio.to_thread(push, door.port, ds)


async def test_a_fault_of_ours_is_no_success(door: Door) -> None:
    """An error nobody expected is a processing failure; the bytes wait for the next start."""
    door.registrar.error = RuntimeError("bug")

    assert [0x0110] == await asyncio.to_thread(push, door.port, instance())
    assert len(door.held()) == 1


async def test_an_object_over_its_budget_is_refused(tmp_path: Path) -> None:
    """The object is read to its end and dropped; the next one is kept."""
    async with open_door(tmp_path, max_object_bytes=2000) as door:
        big, small = instance(text="x" * 5000), instance()

        assert [0xA700, 0] == await asyncio.to_thread(push, door.port, big, small)
        assert len(door.held()) == 1


async def test_one_association_too_many_is_told_to_wait(tmp_path: Path) -> None:
    """Beyond max_associations the rejection is transient; a place freed is given away again."""

    def one_too_many(port: int) -> tuple[int, int, int]:
        first = associate(port)
        ae = AE()
        ae.add_requested_context(Verification)
        second = ae.associate("127.0.0.1", port)
        assert second.is_rejected
        first.release()
        rejection = second.acceptor.primitive
        return rejection.result, rejection.result_source, rejection.diagnostic

    async with open_door(tmp_path, max_associations=1) as door:
        assert (2, 3, 2) == await asyncio.to_thread(one_too_many, door.port)
        assert [0] == await asyncio.to_thread(push, door.port, instance())


async def test_carts_do_not_wait_for_one_another(door: Door) -> None:
    """Four associations push at once; every object is kept once."""
    batches = [[instance() for _ in range(10)] for _ in range(4)]
    answers = await asyncio.gather(
        *(asyncio.to_thread(push, door.port, *batch) for batch in batches)
    )

    assert [[0] * 10] * 4 == list(answers)
    assert len({row.sop_instance_uid for row in door.registrar.rows}) == len(door.held()) == 40


async def test_stopping_answers_what_is_under_way_and_aborts_what_is_idle(
    door: Door, slow_disk: threading.Event
) -> None:
    """An object whose sync is still running is acknowledged before its association ends."""
    idle = await asyncio.to_thread(associate, door.port)
    pushing = asyncio.create_task(asyncio.to_thread(push, door.port, instance()))
    await eventually(lambda: len(door.held()) == 1)
    stopping = asyncio.create_task(door.listener.stop())
    await asyncio.sleep(0.2)
    slow_disk.set()

    assert [0] == await pushing
    await stopping
    await eventually(lambda: idle.is_aborted)
    assert door.listener.n_associations == 0
