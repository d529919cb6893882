"""Record a gate, choose moments to cut its power, and put the disk back as each cut left it."""

import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode

from tests.acceptance.power_cut.disk import Disk, Entry, Folder, answers
from tests.acceptance.power_cut.syncs import Whim
from tests.acceptance.serving import Served

HERE = Path(__file__).parent
RECORD = "record"


def recorder(compiler: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """Build the library that records; return it and the environment that lets a process use it."""
    library = folder / "recorder.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "recorder.c", "-ldl"],
        check=True,
    )
    return library, {
        "LD_PRELOAD": str(library),
        "POWER_CUT_ROOT": str(folder / "data"),
        "POWER_CUT_LOG": str(folder / RECORD),
    }


def recorded(compiler: str, folder: Path, extra_toml: str = "", **environment: str) -> Served:
    """Return a gate whose every disk call is recorded once it starts, with what asked for it."""
    library, recording = recorder(compiler, folder)
    served = Served(
        folder,
        extra_toml=extra_toml,
        environment=recording | environment,
        launcher=(str(HERE / "marked.py"), str(library)),
    )
    served.data_dir.mkdir()
    return served


def acknowledged(entries: Sequence[Entry]) -> list[tuple[int, str]]:
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


def cut_points(entries: Sequence[Entry], n: int) -> list[int]:
    """Choose moments over the whole push, half of them right after an answer."""
    rng = random.Random(7)
    acks = [index + 1 for index, _ in acknowledged(entries)]
    first = acks[0]
    anywhere = [rng.randrange(first, len(entries) + 1) for _ in range(n - n // 2)]
    return sorted(rng.choices(acks, k=n // 2) + anywhere)


def cutting(
    data_dir: Path,
    entries: Sequence[Entry],
    cuts: Sequence[int],
    target: Path,
    *,
    whim: Whim,
    given: Sequence[str] = (),
) -> Iterator[int]:
    """Yield each cut point with the disk as it left it below `target`, which goes afterwards.

    Args:
        data_dir: The folder that was recorded.
        entries: The record.
        cuts: Numbers of entries after which the power fails, in rising order.
        target: A folder that is not there yet.
        whim: What the disk does beside the record.
        given: Folders of the data folder that were there, durably, before the record.
    """
    disk, done = Disk(data_dir), 0
    for name in given:
        disk.tree.now[name] = disk.tree.synced[name] = Folder()
    for cut in cuts:
        for entry in entries[done:cut]:
            if not whim.swallows(disk, entry):
                disk.apply(entry)
        done = cut
        disk.rebuild(target, whim.early)
        yield cut
        shutil.rmtree(target)
