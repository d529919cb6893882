"""What was acknowledged reaches its archive once and whole, at whatever moment the power is cut.

The archive is a folder on the same recorded disk: what a row says is there must be there.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from sonogate.settings import DestinationSettings
from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.power_cut.disk import Entry, read_record
from tests.acceptance.power_cut.recording import (
    RECORD,
    acknowledged,
    cut_points,
    cutting,
    recorded,
)
from tests.acceptance.power_cut.syncs import SYNCS, Sync, Whim, label, without
from tests.acceptance.serving import Served
from tests.integration.forwarding import station

N_OBJECTS = 30
ARCHIVE = "archive"
PATIENCE_SECONDS = 120.0

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture(scope="module")
def record(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> tuple[Path, list[Entry]]:
    """Push objects to a gate that passes them on, every disk call of it recorded."""
    folder = tmp_path_factory.mktemp("power-cut-forward")
    served = recorded(
        need_tool("gcc"),
        folder,
        '[[forward.destinations]]\nname = "files"\nkind = "folder"\n'
        f'folder = "{folder / "data" / ARCHIVE}"\n',
    )
    (served.data_dir / ARCHIVE).mkdir()
    served.start()
    try:
        exam = (make_instance(seed=seed, height=64, width=64) for seed in range(N_OBJECTS))
        assert Cart(served.dicom_port).push(exam)
        wait_until_passed_on(served)
    finally:
        served.stop()
    return served.data_dir, read_record(folder / RECORD)


def wait_until_passed_on(served: Served) -> None:
    """Wait until the archive has everything."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(list((served.data_dir / ARCHIVE).rglob("*.dcm"))) < N_OBJECTS:
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def archived_on(folder: Path) -> Counter[str]:
    """Pass on from what a cut left; count the whole files of each UID in the archive."""
    archive = folder / "data" / ARCHIVE
    files = DestinationSettings(name="files", kind="folder", folder=archive)
    async with station(folder, files) as gate:
        await gate.delivered("files")
    return Counter(uid_of(path.read_bytes()) for path in files_below(archive))


def uid_of(content: bytes) -> str:
    """Return the UID of a file; what is wrong with it where it isn't whole."""
    try:
        ds = dcmread(BytesIO(content))
    except Exception as error:  # noqa: BLE001 - boundary: a torn file may make it raise anything
        return f"torn: {type(error).__name__}"
    return str(ds.SOPInstanceUID) if len(ds.get("PixelData", b"")) == 64 * 64 else "torn"


def files_below(folder: Path) -> list[Path]:
    """Return the finished files of an archive."""
    return list(folder.rglob("*.dcm"))


async def faults(
    record: tuple[Path, list[Entry]], cuts: Sequence[int], scratch: Path, whim: Whim
) -> list[str]:
    """Cut the power at these points until the archive is wrong afterwards; return how."""
    data_dir, entries = record
    acks = acknowledged(entries)
    for cut in cutting(data_dir, entries, cuts, scratch / "data", whim=whim, given=[ARCHIVE]):
        found = await archived_on(scratch)
        wrong = [uid for index, uid in acks if index < cut and found[uid] != 1]
        wrong += [f"{n} of {uid}" for uid, n in found.items() if n > 1 or uid.startswith("torn")]
        if wrong:
            return wrong
    return []


def cuts_while_passing_on(entries: Sequence[Entry], n_cuts: int) -> list[int]:
    """Choose moments: half over the push, half while files are written to the archive."""
    writes = [number for number, each in enumerate(entries) if b".part" in each.body]
    rng = random.Random(3)
    late = [rng.randrange(writes[0], writes[-1] + 2) for _ in range(n_cuts // 2)]
    return sorted(cut_points(entries, n_cuts - n_cuts // 2) + late)


async def test_a_power_cut_leaves_one_whole_file_of_each(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    """At every cut point: what was acknowledged is in the archive once, after the next start."""
    entries = record[1]
    n_cuts = int(os.environ.get("SONOGATE_FORWARD_CUTS", "16"))
    cuts = cuts_while_passing_on(entries, n_cuts)

    assert N_OBJECTS == len(acknowledged(entries))
    assert [] == await faults(record, cuts, tmp_path, Whim())
    print(f"{len(cuts)} cut points, one whole file of each")  # noqa: T201 - a measurement


SHOWN = [
    pytest.param(sync, id=label(sync), marks=[] if sync.is_quick else [pytest.mark.proof])
    for sync in SYNCS
    if sync.shown_by == "forward"
]


@pytest.mark.parametrize("sync", SHOWN)
async def test_a_forgotten_fsync_is_noticed(
    record: tuple[Path, list[Entry]], tmp_path: Path, sync: Sync
) -> None:
    """The same proof fails when the syncs of one place in the code are swallowed."""
    cuts = [*cuts_while_passing_on(record[1], 6), len(record[1])]

    assert await faults(record, cuts, tmp_path, without(sync))
