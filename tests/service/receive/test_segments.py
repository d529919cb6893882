"""A segment gives back what was kept, after any crash, and its room once nothing is wanted."""

import asyncio
import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonogate.domain.instance import ReceivedInstance
from sonogate.errors import SpoolWriteError
from sonogate.receive.spool import Content, Deposit, Spool
from sonogate.receive.spool import segment as segment_module
from sonogate.receive.spool.deposit import GATHER_BYTES
from sonogate.receive.spool.folder import CLOCK_SLACK, seal_all
from sonogate.receive.spool.names import owner_of
from sonogate.settings import KIB, ListenerSettings, SpoolSettings
from tests.service.receive.door import bytes_of, held_by
from tests.service.receive.test_spool import ARRIVAL

SEGMENT_BYTES = 64 * KIB
LATER = datetime.now(UTC) + timedelta(days=1)
"""The database knows all: only segments that are not sealed are read."""
Damage = Callable[[Path, int], None]


def spool_in(folder: Path) -> Spool:
    """A spool with small segments."""
    settings = SpoolSettings(min_free_bytes=1, segment_bytes=SEGMENT_BYTES)
    return Spool(folder / "spool", settings, ListenerSettings())


async def fill(folder: Path, n: int, size_bytes: int = 100) -> list[ReceivedInstance]:
    """Keep objects in a spool that is then closed, none of which the database heard of."""
    spool = spool_in(folder)
    await spool.open()
    kept = [
        await spool.keep(ARRIVAL, Content.of(bytes([i]) * size_bytes, b"meta")) for i in range(n)
    ]
    await spool.close()
    return kept


def unsettled(folder: Path, newest: datetime | None = LATER) -> list[ReceivedInstance]:
    """What the next start finds, in order."""
    return [row for rows in spool_in(folder).unsettled(newest).values() for row in rows]


async def test_the_next_start_finds_every_row(tmp_path: Path) -> None:
    """Rows come back field by field, over several segments, in the order they were kept."""
    kept = await fill(tmp_path, 9, 20_000)

    assert kept == unsettled(tmp_path)
    assert len({row.spool_name.partition("/")[0] for row in kept}) > 1


async def test_a_segment_known_to_the_database_is_not_read_again(tmp_path: Path) -> None:
    """It is sealed once it is full and every row in it was settled; the others are not."""
    spool = spool_in(tmp_path)
    await spool.open()
    kept = [await spool.keep(ARRIVAL, Content.of(bytes(30_000))) for _ in range(7)]
    for row in kept[:-2]:
        spool.settled(row)
    await spool.close()

    segment = kept[-2].spool_name.partition("/")[0]
    still_owed = [row for row in kept if row.spool_name.startswith(segment)]
    assert [row for row in kept if row in still_owed or row == kept[-1]] == unsettled(tmp_path)
    seal_all(spool_in(tmp_path).unsettled(LATER))
    assert unsettled(tmp_path) == []


async def test_a_database_from_a_backup_is_told_again(tmp_path: Path) -> None:
    """Segments written after its newest object are read, sealed or not; others are not."""
    kept = await fill(tmp_path, 9, 20_000)
    seal_all(spool_in(tmp_path).unsettled())
    now = datetime.now(UTC)

    assert unsettled(tmp_path, LATER) == []
    assert unsettled(tmp_path, now - timedelta(days=1)) == kept
    assert unsettled(tmp_path, None) == kept


def _cut_short(path: Path, end: int) -> None:
    os.truncate(path, end - 1)


def _flip_a_byte_of_the_content(path: Path, end: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[end - 1] ^= 1
    path.write_bytes(octets)


def _flip_a_byte_of_the_row(path: Path, _end: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[octets.rindex(b"CART")] ^= 1
    path.write_bytes(octets)


def end_of(folder: Path, row: ReceivedInstance) -> int:
    """Return where an object's bytes end in its segment."""
    _path, span = spool_in(folder).place_of(row.spool_name)
    assert span is not None
    return span.offset + span.size_bytes


@pytest.mark.parametrize(
    "damage", [_cut_short, _flip_a_byte_of_the_content, _flip_a_byte_of_the_row]
)
async def test_a_torn_record_is_no_object(tmp_path: Path, damage: Damage) -> None:
    """A power cut may leave half a record behind; what was whole before it stays."""
    kept = await fill(tmp_path, 3)
    (path,) = (tmp_path / "spool" / "segments").iterdir()
    damage(path, end_of(tmp_path, kept[-1]))

    assert kept[:2] == unsettled(tmp_path)


@pytest.mark.parametrize("at", range(0, 20_000, 397))
async def test_a_cut_at_any_byte_leaves_whole_records(tmp_path: Path, at: int) -> None:
    """However short the segment became, every row found has all its bytes."""
    kept = await fill(tmp_path, 4)
    (path,) = (tmp_path / "spool" / "segments").iterdir()
    os.truncate(path, min(at, path.stat().st_size))
    found = unsettled(tmp_path)

    assert kept[: len(found)] == found
    assert len(held_by(spool_in(tmp_path))) == len(found)


@pytest.mark.parametrize("is_punched", [True, False])
async def test_what_is_removed_is_gone_and_its_neighbours_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_punched: bool
) -> None:
    """The bytes are no longer on the disk, whether or not the file system can punch holes."""
    if not is_punched:
        monkeypatch.setattr(segment_module, "_punch", lambda _descriptor, _span: -1)
    kept = await fill(tmp_path, 3, 9000)
    spool = spool_in(tmp_path)
    (path,) = (tmp_path / "spool" / "segments").iterdir()
    used_before = path.stat().st_blocks
    spool.remove(kept[1].spool_name)

    assert bytes(9000 + len(b"meta")) == bytes_of(spool, kept[1])
    assert b"meta" + b"\x02" * 9000 == bytes_of(spool, kept[2])
    if is_punched:
        assert path.stat().st_blocks < used_before


async def test_the_sweep_removes_what_no_row_speaks_of(tmp_path: Path) -> None:
    """Segments none of whose objects is wanted, and files without a row, go; the others stay."""
    kept = await fill(tmp_path, 9, 20_000)
    (tmp_path / "spool" / "files" / "01LOST").write_bytes(b"half an object")
    spool = spool_in(tmp_path)
    wanted = kept[-1].spool_name
    gone = spool.sweep({wanted})

    assert "files/01LOST" in gone
    (segment,) = (tmp_path / "spool" / "segments").iterdir()
    assert wanted.startswith(segment.name)
    assert b"meta" + b"\x08" * 20_000 == bytes_of(spool, kept[-1])


async def test_a_segment_in_use_is_never_dropped(tmp_path: Path) -> None:
    """What is being written, or owes rows to the database, stays whatever the database says."""
    spool = spool_in(tmp_path)
    await spool.open()
    kept = await spool.keep(ARRIVAL, Content.of(b"content"))
    spool.drop(set(), spool.sealed())
    assert bytes_of(spool, kept) == b"content"

    spool.settled(kept)
    await spool.close()
    spool.drop(set(), spool.sealed())
    assert held_by(spool) == []


async def test_segments_settled_at_once_are_let_go_of(tmp_path: Path) -> None:
    """Stills seconds apart: each is settled before its segment is full; none is held for ever."""
    spool = spool_in(tmp_path)
    await spool.open()
    for _ in range(9):
        spool.settled(await spool.keep(ARRIVAL, Content.of(bytes(30_000))))
    spool.drop(set(), spool.sealed())

    assert len(list((spool.folder / "segments").iterdir())) == 1
    await spool.close()


async def test_each_owner_writes_until_it_begins_its_next_segment(tmp_path: Path) -> None:
    """Another's segment, begun later, does not end ours: a database from a backup learns it all."""
    settings = SpoolSettings(min_free_bytes=1, segment_bytes=SEGMENT_BYTES)
    ours, others = (
        Spool(tmp_path / "spool", settings, ListenerSettings(), owner) for owner in ("D1", "D2")
    )
    await ours.open()
    early = await ours.keep(ARRIVAL, Content.of(b"early"))
    await others.open()
    beside = await others.keep(ARRIVAL, Content.of(b"beside"))
    backed_up_at = datetime.now(UTC) + CLOCK_SLACK
    late = await ours.keep(ARRIVAL, Content.of(b"late"))
    for spool, kept in ((ours, [early, late]), (others, [beside])):
        for each in kept:
            spool.settled(each)
        await spool.close()

    assert {early.object_id, late.object_id, beside.object_id} == {
        each.object_id for each in unsettled(tmp_path, backed_up_at)
    }
    segments = (tmp_path / "spool" / "segments").iterdir()
    assert ["D1", "D2"] == sorted(owner_of(each.name) for each in segments)
    assert b"late" == bytes_of(ours, late)


async def test_what_a_dead_owner_left_is_its_own(tmp_path: Path) -> None:
    """Segments that it did not seal, and its files; nobody else's."""
    settings = SpoolSettings(min_free_bytes=1)
    first, second = (
        Spool(tmp_path / "spool", settings, ListenerSettings(), owner) for owner in ("D1", "D11")
    )
    kept = []
    for spool in (first, second):
        await spool.open()
        kept += [await spool.keep(ARRIVAL, Content.of(b"small")), await filed(spool)]
        await spool.close()
    left = spool_in(tmp_path).left_by("D1")

    assert [kept[0].spool_name.partition("/")[0]] == [path.name for path in left.segments]
    assert (kept[1].spool_name,) == left.files


async def filed(spool: Spool) -> ReceivedInstance:
    """Keep an object that has a file of its own."""
    deposit = Deposit(spool, b"meta", lambda: None)
    deposit.add(memoryview(bytes(GATHER_BYTES + 1)))
    return await deposit.finish(ARRIVAL)


async def test_the_row_of_a_wanted_file_stays(tmp_path: Path) -> None:
    """A segment with nothing else in it is kept for a database that may come from a backup."""
    spool = spool_in(tmp_path)
    await spool.open()
    kept = await filed(spool)
    spool.settled(kept)
    await spool.close()
    spool = spool_in(tmp_path)
    assert spool.sweep({kept.spool_name}) == []
    assert unsettled(tmp_path, None) == [kept]

    spool.remove(kept.spool_name)
    assert unsettled(tmp_path, None) == []


async def test_a_close_that_fails_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that fails, then a close that fails: refused, and the next object is kept."""

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    spool = spool_in(tmp_path)
    await spool.open()
    await spool.keep(ARRIVAL, Content.of(b"before"))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", refuse)
        broken.setattr(os, "close", refuse)
        with pytest.raises(SpoolWriteError):
            await spool.keep(ARRIVAL, Content.of(b"refused"))

    async with asyncio.timeout(5):
        assert bytes_of(spool, await spool.keep(ARRIVAL, Content.of(b"after"))) == b"after"
    await spool.close()
