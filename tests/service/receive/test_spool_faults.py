"""A disk that fails while it is asked to clean up, and what may still be believed of it."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sonogate.domain.identity import new_object_id
from sonogate.errors import SpoolFullError, SpoolWriteError
from sonogate.receive.spool import Content, Spool
from sonogate.receive.spool.deposit import BLOCK_BYTES, GATHER_BYTES
from sonogate.receive.spool.files import SpoolFile
from sonogate.settings import ListenerSettings, SpoolSettings
from tests.service.receive.test_spool import ARRIVAL, deposit_of

LARGE_BYTES = GATHER_BYTES + BLOCK_BYTES


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    """An open spool."""
    spool = Spool(tmp_path / "spool", SpoolSettings(min_free_bytes=1), ListenerSettings())
    await spool.open()
    yield spool
    await spool.close()


def refuse(*_arguments: object, **_more: object) -> None:
    """Fail as a broken disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_descriptor_is_closed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error, too: by the second time its number may be another association's file."""
    file = SpoolFile(new_object_id(), "files/1", tmp_path / "1", b"meta")
    file.write([b"content"])
    close, closed = os.close, []

    def close_badly(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)
        if len(closed) == 1:
            refuse()

    monkeypatch.setattr(os, "close", close_badly)
    with pytest.raises(SpoolWriteError):
        file.finish()
    monkeypatch.undo()

    assert 1 == len(closed)
    assert [] == list(tmp_path.iterdir())


async def test_what_a_disk_does_not_let_go_of_goes_later(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is answered all the same; the janitor removes the file when the disk lets it."""
    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SpoolWriteError):
        await deposit_of(spool, bytes(LARGE_BYTES)).finish(ARRIVAL)
    spool.clear_leftovers()
    monkeypatch.undo()
    left = list((spool.folder / "files").iterdir())
    spool.clear_leftovers()

    assert 1 == len(left)
    assert [] == list((spool.folder / "files").iterdir())


async def test_a_disk_that_can_not_say_has_no_room(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer for the sender, not an exception in the middle of its association."""
    monkeypatch.setattr(os, "statvfs", refuse)

    assert 0 == spool.free_bytes()
    with pytest.raises(SpoolFullError):
        await spool.keep(ARRIVAL, Content.of(b"content"))


async def test_a_failed_sync_is_followed_by_one_of_what_was_acknowledged(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system takes the page that both share for clean; cut off, it is written once more.

    No later object goes to that segment.
    """
    sync, lengths = os.fdatasync, []

    def note(descriptor: int) -> None:
        lengths.append(os.fstat(descriptor).st_size)
        if len(lengths) == 2:
            refuse()
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", note)
    first = await spool.keep(ARRIVAL, Content.of(b"first"))
    with pytest.raises(SpoolWriteError):
        await spool.keep(ARRIVAL, Content.of(b"second"))
    third = await spool.keep(ARRIVAL, Content.of(b"the third one"))
    monkeypatch.undo()

    assert lengths[0] == lengths[2]
    assert lengths[1] > lengths[0]
    assert spool.place_of(first.spool_name)[0] != spool.place_of(third.spool_name)[0]
