"""What the spool says is kept is on the disk, and nothing else is."""

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from sonogate.domain.identity import AETitle, SOPInstanceUID
from sonogate.domain.instance import MediaType, Provenance, Transport
from sonogate.errors import (
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
)
from sonogate.receive.spool import Arrival, Content, Deposit, Spool
from sonogate.receive.spool import deposit as deposit_module
from sonogate.receive.spool.deposit import BLOCK_BYTES, CHUNK_BYTES, GATHER_BYTES, Gathering
from sonogate.settings import ListenerSettings, SpoolSettings
from tests.service.receive.door import bytes_of, eventually, held_by

MAX_OBJECT_BYTES = 3 * GATHER_BYTES
ARRIVAL = Arrival(
    media_type=MediaType.DICOM,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
    sop_instance_uid=SOPInstanceUID("1.2.3"),
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    provenance=Provenance(
        calling_ae=AETitle("CART"),
        called_ae=AETitle("SONOGATE"),
        peer_address="127.0.0.1",
        transport=Transport.DIMSE,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    """An open spool."""
    listener = ListenerSettings(max_object_bytes=MAX_OBJECT_BYTES)
    spool = Spool(tmp_path / "spool", SpoolSettings(min_free_bytes=1), listener)
    await spool.open()
    yield spool
    await spool.close()


def deposit_of(spool: Spool, content: bytes) -> Deposit:
    """Bring content in pieces, as an association does."""
    deposit = Deposit(spool, b"meta", lambda: None)
    for start in range(0, len(content), 100_000):
        deposit.add(memoryview(content)[start : start + 100_000])
    return deposit


async def test_what_is_kept_is_the_meta_and_the_content(spool: Spool) -> None:
    """The spool holds both; the hash is the content's alone."""
    kept = await spool.keep(ARRIVAL, Content.of(b"content", b"meta"))

    assert bytes_of(spool, kept) == b"metacontent"
    assert hashlib.sha256(b"content").hexdigest() == kept.content_sha256
    assert len("metacontent") == kept.size_bytes


async def test_pieces_of_any_length_are_kept_in_their_order(spool: Spool) -> None:
    """A peer chooses how it cuts an object: single bytes, or more than a chunk."""
    lengths = [1, 1, CHUNK_BYTES - 3, 7, CHUNK_BYTES + 5, 1, 3 * CHUNK_BYTES, 2]
    content = os.urandom(sum(lengths))
    deposit = Deposit(spool, b"meta", lambda: None)
    for start, end in pairwise([0, *accumulate(lengths)]):
        deposit.add(memoryview(content)[start:end])
    kept = await deposit.finish(ARRIVAL)

    assert bytes_of(spool, kept) == b"meta" + content
    assert hashlib.sha256(content).hexdigest() == kept.content_sha256


def test_a_sender_of_single_bytes_costs_no_more_memory() -> None:
    """Small pieces are joined: a chunk each would cost many times their length."""
    gathering = Gathering()
    for _ in range(3 * CHUNK_BYTES):
        gathering.add(memoryview(b"x"))

    assert 3 == len(gathering.chunks)
    assert 3 * CHUNK_BYTES == gathering.size_bytes


@pytest.mark.parametrize(
    "size_bytes", [1, BLOCK_BYTES + 1, GATHER_BYTES, GATHER_BYTES + 1, 2 * GATHER_BYTES + 3]
)
async def test_an_object_of_any_size_is_kept_whole(spool: Spool, size_bytes: int) -> None:
    """Gathered in memory or streamed in blocks, the bytes and their hash are the same."""
    content = os.urandom(size_bytes)
    kept = await deposit_of(spool, content).finish(ARRIVAL)

    assert bytes_of(spool, kept) == b"meta" + content
    assert hashlib.sha256(content).hexdigest() == kept.content_sha256
    assert kept.spool_name.startswith("files/") == (size_bytes > GATHER_BYTES)
    assert spool.gathered_bytes == 0


async def test_what_all_objects_gather_is_bounded(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many carts send at once, what has no room in RAM streams to a file."""
    monkeypatch.setattr(deposit_module, "MAX_GATHERED_BYTES", 3 * BLOCK_BYTES)
    deposits = [deposit_of(spool, bytes(2 * BLOCK_BYTES)) for _ in range(3)]
    assert spool.gathered_bytes <= 3 * BLOCK_BYTES + 100_000
    kept = [await deposit.finish(ARRIVAL) for deposit in deposits]

    assert {"files/", "01"} == {"files/" if "files/" in k.spool_name else "01" for k in kept}
    assert [b"meta" + bytes(2 * BLOCK_BYTES)] * 3 == [bytes_of(spool, each) for each in kept]
    assert spool.gathered_bytes == 0


@pytest.mark.parametrize("size_bytes", [10, GATHER_BYTES + 1])
async def test_bytes_and_names_are_synced_before_an_object_counts(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    """Every file is synced at its full size, and every folder after its last name appeared."""
    synced: set[tuple[int, int]] = set()
    folders: dict[int, set[str]] = {}

    def note(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.add((status.st_ino, status.st_size))
        for folder in ("segments", "files"):
            if (spool.folder / folder).stat().st_ino == status.st_ino:
                folders[status.st_ino] = {each.name for each in (spool.folder / folder).iterdir()}

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "fdatasync", note)
    kept = await deposit_of(spool, bytes(size_bytes)).finish(ARRIVAL)
    path, _span = spool.place_of(kept.spool_name)

    assert (path.stat().st_ino, path.stat().st_size) in synced
    assert path.name in folders[path.parent.stat().st_ino]
    (segment,) = (spool.folder / "segments").iterdir()
    assert (segment.stat().st_ino, segment.stat().st_size) in synced


@pytest.mark.parametrize(
    ("call", "code", "error"),
    [
        ("write", errno.ENOSPC, SpoolFullError),
        ("write", errno.EIO, SpoolWriteError),
        ("sync", errno.EIO, SpoolWriteError),
        ("sync", errno.EDQUOT, SpoolFullError),
    ],
)
@pytest.mark.parametrize("size_bytes", [10, GATHER_BYTES + BLOCK_BYTES])
async def test_a_disk_that_refuses_leaves_no_object(
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    *,
    call: str,
    code: int,
    error: type[ReceiveError],
    size_bytes: int,
) -> None:
    """A failing write or sync becomes the error its sender is answered with; then all is well."""
    before = await spool.keep(ARRIVAL, Content.of(b"before"))

    def refuse(_descriptor: int, *_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    for name in {"write": ("write", "pwrite"), "sync": ("fsync", "fdatasync")}[call]:
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(error):
        await deposit_of(spool, bytes(size_bytes)).finish(ARRIVAL)
    monkeypatch.undo()
    after = await spool.keep(ARRIVAL, Content.of(b"after"))

    assert [b"before", b"after"] == [bytes_of(spool, before), bytes_of(spool, after)]
    await spool.close()
    assert [b"before", b"after"] == held_by(spool)


async def test_an_object_over_its_budget_is_dropped(spool: Spool) -> None:
    """The rest of it is not written, and what was written goes."""
    with pytest.raises(ObjectTooLargeError):
        await deposit_of(spool, bytes(MAX_OBJECT_BYTES + 1)).finish(ARRIVAL)
    await spool.close()

    assert held_by(spool) == []


async def test_an_empty_object_is_no_object(spool: Spool) -> None:
    """Nothing is answered with Success for no bytes."""
    with pytest.raises(MalformedObjectError, match="empty"):
        await deposit_of(spool, b"").finish(ARRIVAL)


@pytest.mark.parametrize("size_bytes", [10, GATHER_BYTES, 2 * GATHER_BYTES])
async def test_an_abandoned_object_leaves_nothing(spool: Spool, size_bytes: int) -> None:
    """An association that ends mid-object has its partial file removed, also during a write."""
    deposit_of(spool, bytes(size_bytes)).abandon()
    await spool.close()

    assert held_by(spool) == []
    assert spool.gathered_bytes == 0


async def test_a_sender_faster_than_the_disk_is_held_up(spool: Spool) -> None:
    """A few blocks may wait; then the deposit is behind, until it says that it has drained."""
    drained: list[None] = []
    deposit = Deposit(spool, b"", lambda: drained.append(None))
    for _ in range(10):
        deposit.add(memoryview(bytes(BLOCK_BYTES + 1)))
    assert deposit.is_behind

    await eventually(lambda: not deposit.is_behind)
    assert drained
    assert (await deposit.finish(ARRIVAL)).size_bytes == 10 * (BLOCK_BYTES + 1)


async def test_a_disk_without_room_takes_nothing(tmp_path: Path) -> None:
    """Below min_free_bytes the sender is told to come again before a byte is written."""
    spool = Spool(tmp_path / "spool", SpoolSettings(min_free_bytes=2**62), ListenerSettings())
    await spool.open()
    with pytest.raises(SpoolFullError):
        await spool.keep(ARRIVAL, Content.of(b"content"))
    await spool.close()


async def test_a_closed_spool_refuses(spool: Spool) -> None:
    """No object is taken that nobody would write."""
    await spool.close()
    with pytest.raises(SpoolWriteError, match="closed"):
        await spool.keep(ARRIVAL, Content.of(b"content"))


@pytest.mark.parametrize(
    "name",
    ["../x", "files/../../x", "/etc/passwd", "files", "files/a/b", "..", "01.segment/-1+5",
     "../01.segment/1+5", "01.segment/1", "01/1+5"],
)  # fmt: skip
async def test_no_name_leads_out_of_the_spool(spool: Spool, name: str) -> None:
    """A name that is not one of ours is refused, wherever it came from."""
    with pytest.raises(ValueError, match="not a name in the spool"):
        spool.place_of(name)
