"""What was acknowledged survives a power cut, at whatever moment it comes.

SIGKILL can't show a missing fsync, since the page cache survives it. So every write, sync and
answer of a running gate is recorded, the disk is rebuilt from synced data only at many cut points,
and a gate is started on what is left.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from sonogate.domain.verdict import Status
from sonogate.errors import UnknownInstanceError
from sonogate.settings import (
    KIB,
    MIB,
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart
from tests.acceptance.power_cut.disk import Entry, read_record
from tests.acceptance.power_cut.recording import (
    RECORD,
    acknowledged,
    cut_points,
    cutting,
    recorded,
)
from tests.acceptance.power_cut.syncs import OF_SQLITE, SYNCS, Sync, Whim, label, without

N_OBJECTS = 40
LARGE = (14, 30)
"""Objects over 4 MiB, each with a file of its own."""
VERDICT_SECONDS = 60.0
MODEL = "dct-manifold/1.0.0"
"""The lighter one that ships, so that the time goes into cuts."""
SEALED = b"done"
"""What sealing writes into a segment's opening."""
SEGMENT_BYTES = 64 * KIB
"""A few objects each, so that segments are begun and sealed while the record runs."""

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture(scope="module")
def record(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> tuple[Path, list[Entry]]:
    """Push objects to a gate whose every disk call is recorded."""
    folder = tmp_path_factory.mktemp("power-cut")
    settings = {
        "SONOGATE_SPOOL__SEGMENT_BYTES": str(SEGMENT_BYTES),
        "SONOGATE_SCORING__MODEL": MODEL,
    }
    served = recorded(need_tool("gcc"), folder, **settings)
    served.start()
    try:
        cart = Cart(served.dicom_port)
        assert cart.push(image(number) for number in range(N_OBJECTS))
    finally:
        served.stop()
    return served.data_dir, read_record(folder / RECORD)


def image(number: int) -> Dataset:
    """Make one small picture; a few carry a maker's own bytes, too many for a segment."""
    ds = make_instance(seed=number, height=64, width=64)
    if number in LARGE:
        maker = ds.private_block(0x0009, "SONOGATE TEST", create=True)
        maker.add_new(0x01, "OB", bytes(5 * MIB))
    return ds


def settings_on(folder: Path) -> Settings:
    """A small gate on a rebuilt disk."""
    return Settings(
        data_dir=folder,
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1, model=MODEL),
    )


async def verdict_status(gate: Gate, uid: str) -> Status | None:
    """Return the status of an instance, None if the gate never heard of it."""
    try:
        return (await gate.studies.instance(uid)).status
    except UnknownInstanceError:
        return None


async def lost_on(folder: Path, uids: list[str]) -> list[str]:
    """Start a gate on the folder; return acknowledged instances that never get a graded verdict.

    One whose bytes can't be read stays pending: the gate tries again, as a disk may come back.
    """
    async with running_gate(settings_on(folder)) as gate:
        statuses: dict[str, Status | None] = dict.fromkeys(uids, Status.PENDING)
        with suppress(TimeoutError):
            async with asyncio.timeout(VERDICT_SECONDS):
                for uid in uids:
                    statuses[uid] = await verdict_status(gate, uid)
                    while statuses[uid] is Status.PENDING:
                        await asyncio.sleep(0.02)
                        statuses[uid] = await verdict_status(gate, uid)
    return [f"{uid}: {status}" for uid, status in statuses.items() if status is not Status.GRADED]


HONEST, EAGER = Whim(), Whim(early="spool/segments/*")


async def losses(
    record: tuple[Path, list[Entry]], cuts: Sequence[int], target: Path, whim: Whim
) -> list[str]:
    """Cut the power at these points until something is lost; return what is."""
    data_dir, entries = record
    acks = acknowledged(entries)
    for cut in cutting(data_dir, entries, cuts, target, whim=whim):
        if lost := await lost_on(target, [uid for index, uid in acks if index < cut]):
            return lost
    return []


def fault_cuts(entries: Sequence[Entry]) -> list[int]:
    """Return the few moments at which a seeded fault is looked for.

    Among them those right after a large object's answer: a verdict would hide that it is gone.
    """
    acks = acknowledged(entries)
    return sorted([*cut_points(entries, 4), *(acks[n][0] + 1 for n in LARGE), len(entries)])


@pytest.mark.parametrize(("whim", "share"), [(HONEST, 1.0), (EAGER, 0.25)], ids=["honest", "eager"])
async def test_a_power_cut_loses_nothing_acknowledged(
    record: tuple[Path, list[Entry]], tmp_path: Path, whim: Whim, share: float
) -> None:
    """At every cut point all acknowledged objects are there and get their verdict."""
    entries = record[1]
    assert len(acknowledged(entries)) == N_OBJECTS
    n_cuts = max(4, round(share * int(os.environ.get("SONOGATE_POWER_CUTS", "6"))))

    assert [] == await losses(record, cut_points(entries, n_cuts), tmp_path / "rebuilt", whim)
    print(f"{n_cuts} cut points, nothing lost")  # noqa: T201 - a measurement


SHOWN = [
    pytest.param(sync, id=label(sync), marks=[] if sync.is_quick else [pytest.mark.proof])
    for sync in SYNCS
    if sync.shown_by == "receive"
]


@pytest.mark.parametrize("sync", SHOWN)
async def test_a_forgotten_fsync_is_noticed(
    record: tuple[Path, list[Entry]], tmp_path: Path, sync: Sync
) -> None:
    """The same proof fails when the syncs of one place in the code are swallowed."""
    assert await losses(record, fault_cuts(record[1]), tmp_path / "rebuilt", without(sync))


async def test_a_data_folder_that_nobody_synced_is_noticed(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    """Three places sync it, each in time; with all three swallowed the proof fails."""
    assert await losses(record, fault_cuts(record[1]), tmp_path / "rebuilt", Whim(forgotten="/"))


@pytest.mark.proof
@pytest.mark.parametrize("sync", [each for each in SYNCS if each.why_not], ids=label)
async def test_a_sync_that_another_covers_may_be_forgotten(
    record: tuple[Path, list[Entry]], tmp_path: Path, sync: Sync
) -> None:
    """What the table says of the others is true."""
    assert [] == await losses(record, fault_cuts(record[1]), tmp_path / "rebuilt", without(sync))


async def test_a_lost_log_of_the_database_loses_no_object(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    """Segments hold the rows too, and are read again where the database is older than they are.

    The worst case: no sync of the log ever counted, and the disk kept every seal.
    """
    entries = record[1]
    sealed = [number + 1 for number, each in enumerate(entries) if each.body == SEALED]
    assert sealed
    whim = Whim(forgotten="*-wal", place=OF_SQLITE, early="spool/segments/*")
    cuts = sorted(cut_points(entries, 2) + sealed[len(sealed) // 2 : len(sealed) // 2 + 2])

    assert [] == await losses(record, cuts, tmp_path / "rebuilt", whim)
