"""What the spool says is kept is on the disk, and nothing else is."""

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sonogate.errors import (
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
)
from sonogate.receive import spool_file
from sonogate.receive.deposit import Deposit
from sonogate.receive.slots import BATCH
from sonogate.receive.spool import BLOCK_BYTES, N_FOLDERS, Spool
from sonogate.settings import ListenerSettings, SpoolSettings
from tests.service.receive.door import eventually

MAX_OBJECT_BYTES = 8 * BLOCK_BYTES


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    """An open spool."""
    listener = ListenerSettings(max_object_bytes=MAX_OBJECT_BYTES)
    spool = Spool(tmp_path / "spool", SpoolSettings(min_free_bytes=1), listener)
    spool.open()
    yield spool
    await spool.close()


def contents(spool: Spool) -> list[bytes]:
    """What the files with anything in them hold."""
    return [path.read_bytes() for path in sorted(spool.folder.glob("*/*")) if path.stat().st_size]


def deposit_of(spool: Spool, content: bytes) -> Deposit:
    """Bring content in pieces, as an association does."""
    deposit = Deposit(spool, b"head", lambda: None)
    for start in range(0, len(content), 100_000):
        deposit.add(memoryview(content)[start : start + 100_000])
    return deposit


async def test_what_is_kept_is_the_head_and_the_content(spool: Spool) -> None:
    """The file holds both; the hash is the content's alone."""
    kept = await spool.keep_bytes(b"head", b"content")

    assert spool.path_of(kept.spool_name).read_bytes() == b"headcontent"
    assert hashlib.sha256(b"content").hexdigest() == kept.content_sha256
    assert len("headcontent") == kept.size_bytes


@pytest.mark.parametrize("size_bytes", [1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 3])
async def test_an_object_of_any_size_is_kept_whole(spool: Spool, size_bytes: int) -> None:
    """Gathered in memory or streamed in blocks, the bytes and their hash are the same."""
    content = os.urandom(size_bytes)
    kept = await deposit_of(spool, content).finish()

    assert spool.path_of(kept.spool_name).read_bytes() == b"head" + content
    assert hashlib.sha256(content).hexdigest() == kept.content_sha256


async def test_file_and_folder_are_synced_before_an_object_counts(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte is synced, and so is the folder that names the file, before `finish` returns."""
    synced: set[tuple[int, int]] = set()
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        status = os.fstat(descriptor)
        synced.add((status.st_ino, status.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    for _ in range(BATCH + 5):
        kept = await spool.keep_bytes(b"head", b"content")
        path = spool.path_of(kept.spool_name)
        assert (path.stat().st_ino, path.stat().st_size) in synced
    await spool.close()
    inode = path.parent.stat().st_ino

    assert inode in {synced_inode for synced_inode, _size in synced}


async def test_without_a_slot_the_objects_own_folder_is_synced(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst that uses up the files made ahead loses no durability."""
    folders: list[Path] = []
    monkeypatch.setattr(spool_file, "sync_folder", folders.append)
    monkeypatch.setattr(spool._slots, "take", lambda: None)
    kept = await spool.keep_bytes(b"", b"content")

    assert [spool.path_of(kept.spool_name).parent] == folders


@pytest.mark.parametrize(
    ("call", "code", "error"),
    [
        ("write", errno.ENOSPC, SpoolFullError),
        ("write", errno.EIO, SpoolWriteError),
        ("fsync", errno.EIO, SpoolWriteError),
        ("fsync", errno.EDQUOT, SpoolFullError),
    ],
)
@pytest.mark.parametrize("size_bytes", [10, 3 * BLOCK_BYTES])
async def test_a_disk_that_refuses_leaves_no_file(
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    *,
    call: str,
    code: int,
    error: type[ReceiveError],
    size_bytes: int,
) -> None:
    """A failing write or sync becomes the error its sender is answered with."""

    def refuse(_descriptor: int, *_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(error):
        await deposit_of(spool, bytes(size_bytes)).finish()
    monkeypatch.undo()
    await spool.close()

    assert contents(spool) == []


async def test_an_object_over_its_budget_is_dropped(spool: Spool) -> None:
    """The rest of it is not written, and what was written goes."""
    with pytest.raises(ObjectTooLargeError):
        await deposit_of(spool, bytes(MAX_OBJECT_BYTES + 1)).finish()
    await spool.close()

    assert contents(spool) == []


async def test_an_empty_object_is_no_object(spool: Spool) -> None:
    """Nothing is answered with Success for no bytes."""
    with pytest.raises(MalformedObjectError, match="empty"):
        await deposit_of(spool, b"").finish()


@pytest.mark.parametrize("size_bytes", [10, 3 * BLOCK_BYTES, 6 * BLOCK_BYTES])
async def test_an_abandoned_object_leaves_nothing(spool: Spool, size_bytes: int) -> None:
    """An association that ends mid-object has its partial file removed, also during a write."""
    deposit_of(spool, bytes(size_bytes)).abandon()
    await spool.close()

    assert contents(spool) == []


async def test_a_sender_faster_than_the_disk_is_held_up(spool: Spool) -> None:
    """A few blocks may wait; then the deposit is behind, until it says that it has drained."""
    drained: list[None] = []
    deposit = Deposit(spool, b"", lambda: drained.append(None))
    for _ in range(6):
        deposit.add(memoryview(bytes(BLOCK_BYTES + 1)))
    assert deposit.is_behind

    await eventually(lambda: not deposit.is_behind)
    assert drained
    assert (await deposit.finish()).size_bytes == 6 * (BLOCK_BYTES + 1)


async def test_a_disk_without_room_takes_nothing(tmp_path: Path) -> None:
    """Below min_free_bytes the sender is told to come again before a byte is written."""
    spool = Spool(tmp_path / "spool", SpoolSettings(min_free_bytes=2**62), ListenerSettings())
    spool.open()
    with pytest.raises(SpoolFullError):
        await spool.keep_bytes(b"", b"content")
    await spool.close()


async def test_orphans_are_what_no_row_names(spool: Spool) -> None:
    """The sweep at boot removes files of a crash before their commit, and only those."""
    known = (await spool.keep_bytes(b"", b"known")).spool_name
    lost = (await spool.keep_bytes(b"", b"lost")).spool_name
    await spool.close()

    assert [lost] == spool.orphans({known})
    assert [lost] == spool.sweep({known})
    assert [b"known"] == contents(spool)


async def test_a_closed_spool_leaves_no_empty_files(spool: Spool) -> None:
    """Files made ahead and not used are taken away."""
    await spool.close()

    assert list(spool.folder.glob("*/*")) == []
    assert N_FOLDERS == len(list(spool.folder.iterdir()))


@pytest.mark.parametrize("name", ["../x", "00/../../x", "/etc/passwd", "00", "00/a/b", ".."])
async def test_no_name_leads_out_of_the_spool(spool: Spool, name: str) -> None:
    """A name that is not one of ours is refused, wherever it came from."""
    with pytest.raises(ValueError, match="not a name in the spool"):
        spool.path_of(name)
