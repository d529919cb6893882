"""What receivers lose of what they acknowledged: by SIGKILL, and by power cuts.

python -m loadtests.durability [--kills 40] [--cuts 40] [gate orthanc storescp]

Kills: four carts push while the receiver and its children are killed at random moments. Power cuts:
every write and sync of it is recorded and the disk rebuilt from synced data only, in two ways:
*strict*, as POSIX allows (a name lasts once its folder was synced), and *kind*, as ext4 and XFS do
(a file's sync makes its name last too). Beside them stands a disk that lost nothing: what is
missing there would be the recorder's fault. What is lost is data, not malice: each does what its
makers chose.
"""

import argparse
import random
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from loadtests.killable import RECEIVERS, Killable
from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.killing import Pace, pushing
from tests.acceptance.power_cut.disk import Disk, Entry, KindDisk, read_record
from tests.acceptance.power_cut.recording import RECORD, recorder

N_CARTS, SHARE, N_RECORDED = 4, 8, 60


@dataclass(frozen=True, slots=True)
class Cuts:
    """What power cuts took."""

    n_cuts: int
    n_with_loss: int
    worst: str  #: lost of acknowledged, at the worst cut

    def __str__(self) -> str:
        return f"{self.n_with_loss} of {self.n_cuts} (worst: {self.worst})"


class Uncut(Disk):
    """A disk whose power never failed: everything written is there."""

    def rebuild(self, target: Path, early: str = "") -> None:
        """Write all below `target`."""
        self.settle()
        super().rebuild(target, early)


class Clocked(set[str]):
    """UIDs acknowledged, each with the length of the record when the answer came."""

    def __init__(self, record: Path) -> None:
        super().__init__()
        self.at: dict[str, int] = {}
        self._record = record

    def add(self, uid: str) -> None:
        """Note an answer."""
        self.at[uid] = self._record.stat().st_size
        super().add(uid)


def images(n: int) -> list[Dataset]:
    """Make small pictures of their own."""
    return [make_instance(seed=seed, height=64, width=64) for seed in range(n)]


def lost_to_kills(kind: type[Killable], folder: Path, n_kills: int) -> tuple[int, int]:
    """Kill a receiver during pushes; return (acknowledged, lost)."""
    folder.mkdir()
    server, rng, pace = kind(folder), random.Random(11), Pace(SHARE)
    server.start()
    with pushing(server, images(SHARE * n_kills), N_CARTS, pace) as finish:
        for _ in range(n_kills):
            pace.quota += SHARE
            time.sleep(rng.uniform(0.02, 0.5))
            server.kill()
            server.start()
        pace.quota = float("inf")
        acknowledged = finish()
        kept = server.kept(acknowledged)
    return len(acknowledged), len(acknowledged - kept)


def record_of(kind: type[Killable], folder: Path) -> tuple[Path, list[Entry], dict[str, int]]:
    """Record a receiver during a push; return its folder, the record, and when it answered what."""
    folder.mkdir()
    _library, environment = recorder("gcc", folder)
    server = kind(folder, environment)
    server.start()
    cart = Cart(server.dicom_port)
    answered = cart.acknowledged = Clocked(folder / RECORD)
    try:
        assert cart.push(images(N_RECORDED))
    finally:
        server.stop()
    return server.data_dir, read_record(folder / RECORD), answered.at


def lost_to_cuts(
    kind: type[Killable],
    record: tuple[Path, list[Entry], dict[str, int]],
    disk: Disk,
    cuts: Sequence[int],
    scratch: Path,
) -> Cuts:
    """Cut the power at each point; count what the receiver lost when it starts again."""
    _data_dir, entries, answered = record
    done, n_with_loss, worst = 0, 0, (0, 0)
    for cut in cuts:
        for entry in entries[done:cut]:
            disk.apply(entry)
        done = cut
        disk.rebuild(scratch / "data")
        acknowledged = {uid for uid, at in answered.items() if at <= entries[cut - 1].end}
        lost = len(acknowledged - kept_on(kind, scratch, acknowledged))
        n_with_loss += bool(lost)
        worst = max(worst, (lost, len(acknowledged)))
        shutil.rmtree(scratch)
    return Cuts(len(cuts), n_with_loss, f"{worst[0]} of {worst[1]}" if worst[0] else "none")


def kept_on(kind: type[Killable], folder: Path, uids: set[str]) -> set[str]:
    """Start a receiver on what a cut left; return what it kept, nothing if it does not start."""
    server = kind(folder)
    try:
        server.start()
        return server.kept(uids)
    except RuntimeError:
        return set()
    finally:
        server.stop()


def moments(record: tuple[Path, list[Entry], dict[str, int]], n: int) -> list[int]:
    """Choose moments over the push, half of them right after an answer."""
    _data_dir, entries, answered = record
    ends = [entry.end for entry in entries]
    acks = sorted({max(1, bisect_right(ends, at)) for at in answered.values()})
    rng = random.Random(7)
    anywhere = [rng.randrange(acks[0], acks[-1] + 1) for _ in range(n - n // 2)]
    return sorted(rng.choices(acks, k=n // 2) + anywhere)


def main() -> None:
    """Print the table, a row when it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("receivers", nargs="*", default=list(RECEIVERS))
    asked = parser.parse_args()
    print(
        "| receiver | kills | acknowledged | lost | its syncs | cuts that lost, strict | ... kind"
        " | ... uncut |\n|" + " --- |" * 8
    )
    for name in asked.receivers:
        kind = RECEIVERS[name]
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            n_acknowledged, n_lost = lost_to_kills(kind, folder / "kills", asked.kills)
            record = record_of(kind, folder / "record")
            cuts = moments(record, asked.cuts)
            n_syncs = sum(entry.op == "F" for entry in record[1])
            disks = [Disk, KindDisk, *([Uncut] if kind.writes_are_seen else [])]
            lost = [
                lost_to_cuts(kind, record, disk(record[0]), cuts, folder / "rebuilt")
                for disk in disks
            ]
        row = [kind.name, asked.kills, n_acknowledged, n_lost, n_syncs, *lost]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
