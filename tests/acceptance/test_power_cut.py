"""What was acknowledged survives a power cut, at whatever moment it comes.

SIGKILL can't show a missing fsync, since the page cache survives it. So every write, sync and
answer of a running gate is recorded, the disk is rebuilt from synced data only at many cut points,
and a gate is started on what is left.
"""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode

from sonogate.domain.verdict import Status
from sonogate.errors import UnknownInstanceError
from sonogate.settings import (
    KIB,
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart
from tests.acceptance.power_cut.disk import Disk, Entry, answers, read_record
from tests.acceptance.serving import Served

HERE = Path(__file__).parent
N_OBJECTS = 60
VERDICT_SECONDS = 120.0
SEALED = b"SonoGate segment 1 done\n"
SEGMENT_BYTES = 256 * KIB
"""A few objects each, so that segments are begun and sealed while the record runs."""

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture(scope="module")
def record(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> tuple[Path, list[Entry]]:
    """Push objects to a gate whose every disk call is recorded."""
    folder = tmp_path_factory.mktemp("power-cut")
    library = folder / "recorder.so"
    source = HERE / "power_cut" / "recorder.c"
    subprocess.run(
        [need_tool("gcc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True
    )
    served = Served(
        folder,
        environment={
            "LD_PRELOAD": str(library),
            "POWER_CUT_ROOT": str(folder / "data"),
            "POWER_CUT_LOG": str(folder / "record"),
            "SONOGATE_SPOOL__SEGMENT_BYTES": str(SEGMENT_BYTES),
        },
    )
    served.data_dir.mkdir()
    served.start()
    try:
        cart = Cart(served.dicom_port)
        assert cart.push(make_instance(seed=seed) for seed in range(N_OBJECTS))
    finally:
        served.stop()
    return served.data_dir, read_record(folder / "record")


def acknowledged(entries: list[Entry]) -> list[tuple[int, str]]:
    """Return (index, SOP instance UID) of every C-STORE answered with Success."""
    return [(index, uid) for index, pdu in answers(entries) for uid in stored(pdu)]


def stored(pdu: bytes) -> Iterator[str]:
    """Yield the UIDs that a run of P-DATA-TF PDUs acknowledges (PS3.8 9.3.5, PS3.7 9.3.1.2)."""
    stream = BytesIO(pdu)
    while head := stream.read(6):
        body = stream.read(int.from_bytes(head[2:6], "big"))
        command: Dataset = decode(BytesIO(body[6:]), True, True)  # noqa: FBT003 - pynetdicom's own order
        if command.CommandField == 0x8001 and command.Status == 0:
            yield str(command.AffectedSOPInstanceUID)


def cut_points(entries: list[Entry], n: int) -> list[int]:
    """Choose moments over the whole push, half of them right after an answer."""
    rng = random.Random(7)
    acks = [index + 1 for index, _ in acknowledged(entries)]
    first = acks[0]
    anywhere = [rng.randrange(first, len(entries) + 1) for _ in range(n - n // 2)]
    return sorted(rng.choices(acks, k=n // 2) + anywhere)


def settings_on(folder: Path) -> Settings:
    """A small gate on a rebuilt disk."""
    return Settings(
        data_dir=folder,
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
    )


async def verdict_status(gate: Gate, uid: str) -> Status | None:
    """Return the status of an instance, None if the gate never heard of it."""
    try:
        return (await gate.studies.instance(uid)).status
    except UnknownInstanceError:
        return None


async def lost_on(folder: Path, uids: list[str]) -> list[str]:
    """Start a gate on the folder; return acknowledged instances that never get a graded verdict."""
    async with running_gate(settings_on(folder)) as gate, asyncio.timeout(VERDICT_SECONDS):
        lost = []
        for uid in uids:
            status = await verdict_status(gate, uid)
            while status is Status.PENDING:
                await asyncio.sleep(0.02)
                status = await verdict_status(gate, uid)
            if status is not Status.GRADED:
                lost.append(f"{uid}: {status}")
        return lost


def forgets(disk: Disk, entry: Entry, pattern: str) -> bool:
    """Whether the seeded fault swallows this sync."""
    return entry.op == "F" and bool(pattern) and fnmatch(disk.path_of(entry.fd), pattern)


@dataclass(frozen=True, slots=True)
class Whim:
    """What a disk does beside the record; both are patterns of paths below the data folder."""

    forgotten: str = ""  #: syncs swallowed: the seeded fault
    early: str = ""  #: bytes that reach the disk before anybody asks for a sync


HONEST, EAGER = Whim(), Whim(early="spool/segments/*")


async def losses(
    data_dir: Path,
    entries: list[Entry],
    cuts: list[int],
    scratch: Path,
    whim: Whim,
) -> list[str]:
    """Cut the power at these points until something is lost; return what is."""
    acks = acknowledged(entries)
    disk, done, lost = Disk(data_dir), 0, []
    for cut in cuts:
        for entry in entries[done:cut]:
            if not forgets(disk, entry, whim.forgotten):
                disk.apply(entry)
        done = cut
        rebuilt = scratch / "rebuilt"
        disk.rebuild(rebuilt, whim.early)
        lost += await lost_on(rebuilt, [uid for index, uid in acks if index < cut])
        shutil.rmtree(rebuilt)
        if lost:
            break
    return lost


@pytest.mark.parametrize(("whim", "share"), [(HONEST, 1.0), (EAGER, 0.25)], ids=["honest", "eager"])
async def test_a_power_cut_loses_nothing_acknowledged(
    record: tuple[Path, list[Entry]], tmp_path: Path, whim: Whim, share: float
) -> None:
    """At every cut point all acknowledged objects are there and get their verdict."""
    data_dir, entries = record
    assert len(acknowledged(entries)) == N_OBJECTS
    n_cuts = max(4, round(share * int(os.environ.get("SONOGATE_POWER_CUTS", "6"))))

    cuts = cut_points(entries, n_cuts)
    assert [] == await losses(data_dir, entries, cuts, tmp_path, whim)
    print(f"{n_cuts} cut points, nothing lost")  # noqa: T201 - a measurement


@pytest.mark.parametrize(
    "whim",
    [
        Whim(forgotten="spool/segments/*[!/]"),
        Whim(forgotten="spool/segments/"),
        Whim(forgotten="/"),
    ],
    ids=["a segment", "its folder", "the data folder"],
)
async def test_a_forgotten_fsync_is_noticed(
    record: tuple[Path, list[Entry]], tmp_path: Path, whim: Whim
) -> None:
    """The same proof fails when one kind of sync is swallowed."""
    data_dir, entries = record

    assert await losses(data_dir, entries, cut_points(entries, 4), tmp_path, whim)


async def test_a_lost_log_of_the_database_loses_no_object(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    """Segments hold the rows too, and are read again where the database is older than they are.

    The worst case: no sync of the log ever counted, and the disk kept every seal.
    """
    data_dir, entries = record
    sealed = [number + 1 for number, each in enumerate(entries) if each.body == SEALED]
    assert sealed
    whim = Whim(forgotten="*-wal", early="spool/segments/*")
    cuts = sorted(cut_points(entries, 2) + sealed[len(sealed) // 2 : len(sealed) // 2 + 2])

    assert [] == await losses(data_dir, entries, cuts, tmp_path, whim)
