"""A segment is written past the system's cache where that is possible, and read in either form."""

import errno
import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sonogate.domain.identity import new_object_id
from sonogate.domain.instance import ReceivedInstance, Span
from sonogate.receive.spool import Content, Spool
from sonogate.receive.spool import staging as staging_module
from sonogate.receive.spool.folder import seal_all
from sonogate.receive.spool.records import name_in, opening
from sonogate.receive.spool.segment import SUFFIX, is_sealed
from sonogate.receive.spool.staging import ALIGNMENT
from sonogate.settings import ListenerSettings, SpoolSettings
from tests.service.receive.door import bytes_of
from tests.service.receive.test_spool import ARRIVAL

CONTENTS = [bytes([n]) * size for n, size in enumerate((1, 4096, 9000, 50_001, 3 * 4096 - 900))]


def spool_in(folder: Path) -> Spool:
    """A spool with room."""
    return Spool(folder / "spool", SpoolSettings(min_free_bytes=1), ListenerSettings())


async def keep_all(spool: Spool, contents: Sequence[bytes]) -> list[ReceivedInstance]:
    """Open, keep objects one after another, and close."""
    await spool.open()
    kept = [await spool.keep(ARRIVAL, Content.of(each, b"meta")) for each in contents]
    await spool.close()
    return kept


def segment_of_the_first_form(folder: Path, contents: Sequence[bytes]) -> list[ReceivedInstance]:
    """Write what gates wrote before: a short opening, then records without room between them."""
    name = f"{new_object_id()}{SUFFIX}"
    octets, rows = bytearray(b"SonoGate segment 1 open\n"), []
    for each in contents:
        content = Content.of(each, b"meta")
        row = ARRIVAL.kept(new_object_id(), content.sha256, content.size_bytes)
        octets += opening(row, 4, len(each))
        span = Span(offset=len(octets), size_bytes=content.size_bytes)
        octets += b"meta" + each
        rows.append(
            ARRIVAL.kept(row.object_id, row.content_sha256, row.size_bytes, name_in(name, span))
        )
    (folder / name).write_bytes(octets)
    return rows


async def test_an_upgrade_finds_what_was_kept_before(tmp_path: Path) -> None:
    """Segments of the first form are read, sealed and dropped as ever."""
    spool = spool_in(tmp_path)
    spool.prepare()
    before = segment_of_the_first_form(spool.folder / "segments", CONTENTS)
    after = await keep_all(spool, CONTENTS)
    spool = spool_in(tmp_path)
    found = spool.unsettled(datetime.now(UTC))

    assert before + after == [row for rows in found.values() for row in rows]
    assert CONTENTS == [bytes_of(spool, row)[4:] for row in before]
    seal_all(found)
    assert all(is_sealed(path) for path in found)
    assert [] == spool.drop({before[1].spool_name, after[1].spool_name}, spool.sealed())
    assert sorted(path.name for path in found) == sorted(spool.drop(set(), spool.sealed()))


async def test_every_record_has_blocks_of_its_own(tmp_path: Path) -> None:
    """No write touches a block that was acknowledged."""
    spool = spool_in(tmp_path)
    kept = await keep_all(spool, CONTENTS)
    (path,) = (spool.folder / "segments").iterdir()
    octets = path.read_bytes()
    starts = [n for n in range(len(octets)) if octets.startswith(b"SGOB", n)]

    assert [0] * len(kept) == [start % ALIGNMENT for start in starts]
    assert 0 == len(octets) % ALIGNMENT
    assert [b"meta" + each for each in CONTENTS] == [bytes_of(spool, row) for row in kept]


def flags_of_segments(folder: Path) -> list[int]:
    """Return the flags of the segments below a folder that this process has open."""
    return [
        fcntl.fcntl(int(each.name), fcntl.F_GETFL)
        for each in Path("/proc/self/fd").iterdir()
        if each.is_symlink()
        and each.readlink().suffix == SUFFIX
        and each.readlink().is_relative_to(folder)
    ]


async def test_the_cache_is_passed_by_where_that_works(tmp_path: Path) -> None:
    """The system is asked, and its answer believed."""
    with (tmp_path / "probe").open("wb") as probe:
        try:
            fcntl.fcntl(probe, fcntl.F_SETFL, os.O_DIRECT)
        except OSError:
            pytest.skip("the temporary folder's file system knows no direct writes")
    spool = spool_in(tmp_path)
    await spool.open()
    await spool.keep(ARRIVAL, Content.of(b"content"))
    flags = flags_of_segments(tmp_path)
    await spool.close()

    assert [os.O_DIRECT] == [each & os.O_DIRECT for each in flags]


@pytest.mark.parametrize("refused_at", ["flag", "first write"])
async def test_where_the_cache_is_wanted_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_at: str
) -> None:
    """Some file systems refuse the flag, some the first write with it; both keep objects."""
    set_flags, write, refusals = fcntl.fcntl, os.pwrite, []

    def no_flag(descriptor: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & os.O_DIRECT:
            refusals.append(errno.EINVAL)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return int(set_flags(descriptor, command, flags))

    def no_direct_write(descriptor: int, body: memoryview, at: int) -> int:
        if set_flags(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refusals.append(errno.EINVAL)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return write(descriptor, body, at)

    if refused_at == "flag":
        monkeypatch.setattr(fcntl, "fcntl", no_flag)
    else:
        monkeypatch.setattr(os, "pwrite", no_direct_write)
    spool = spool_in(tmp_path)
    kept = await keep_all(spool, CONTENTS)

    assert [errno.EINVAL] == refusals
    assert [b"meta" + each for each in CONTENTS] == [bytes_of(spool, row) for row in kept]
    assert kept == [row for rows in spool_in(tmp_path).unsettled().values() for row in rows]


async def test_what_is_larger_than_the_staging_goes_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several writes and one sync; a disk that takes less than asked is given the rest."""
    write = os.pwrite
    monkeypatch.setattr(staging_module, "STAGING_BYTES", 3 * ALIGNMENT)
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, body, at: write(descriptor, body[: 2 * ALIGNMENT], at)
    )
    spool = spool_in(tmp_path)
    kept = await keep_all(spool, CONTENTS)

    assert [b"meta" + each for each in CONTENTS] == [bytes_of(spool, row) for row in kept]
    assert kept == [row for rows in spool_in(tmp_path).unsettled().values() for row in rows]
