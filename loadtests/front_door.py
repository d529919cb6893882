"""Measure the front door beside Orthanc and DCMTK: rates until kept and until shown, cines, idle.

    make front-door                           everything, median of five paired rounds
    make front-door FRONT_DOOR="--rounds 1"   a quick look

Orthanc indexes before it answers, the gate after it (ADR 10): so besides the rate until the last
answer stands the rate until REST shows the last object of every cart.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from rich.progress import Progress

from loadtests import idle, objects, servers
from loadtests.bench import ROOT, clean_place, machine
from loadtests.servers import NODELAY, Server, tool

N_IDLE = 500
N_CINES = 2
SHOWN_SECONDS = 60.0
CARTS = (1, 4)


@dataclass(frozen=True)
class Kind:
    """One kind of object, and how much of it a round sends."""

    name: str
    make: Callable[[], Dataset]
    n: int
    syntax: str


STILLS = (
    Kind("84 kB JPEG", objects.jpeg_still, 800, "-xy"),
    Kind("1.4 MB RGB", objects.rgb_still, 160, "-xe"),
)
CINE = Kind("50 MB cine", objects.cine, 4 * N_CINES, "-xe")


@dataclass(frozen=True)
class Load:
    """Files with UIDs of their own, in one folder for each cart."""

    kind: Kind
    folders: tuple[Path, ...]
    last_uids: tuple[str, ...]  #: what each cart sends last

    @classmethod
    def make(cls, kind: Kind, n_carts: int, folder: Path) -> "Load":
        """Write the files; a cart sends its own in the order of their names."""
        ds, folders, last = kind.make(), [], []
        for cart in range(n_carts):
            own = folder / f"{kind.name.replace(' ', '-')}-{n_carts}-{cart}"
            own.mkdir(parents=True)
            for number in range(kind.n // n_carts):
                ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                objects.save(ds, own / f"{number:05}.dcm")
            folders.append(own)
            last.append(str(ds.SOPInstanceUID))
        return cls(kind, tuple(folders), tuple(last))


def send(server: Server, folder: Path, syntax: str) -> None:
    """Send a folder over one association of DCMTK's storescu."""
    files = [str(path) for path in sorted(folder.iterdir())]
    command = [tool("storescu") or "storescu", syntax, "-aec", "SONOGATE", "127.0.0.1"]
    subprocess.run(
        [*command, str(server.port), *files],
        check=True,
        capture_output=True,
        env=os.environ | NODELAY,
    )


def wait_until_shown(server: Server, uid: str) -> None:
    """Return when REST knows an instance; DCMTK's storescp has no REST, and shows nothing."""
    deadline = time.perf_counter() + SHOWN_SECONDS
    while not is_shown(server, uid):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{server.name} never showed {uid}")
        time.sleep(0.005)


def is_shown(server: Server, uid: str) -> bool:
    """Ask once."""
    base = f"http://127.0.0.1:{server.http_port}"
    if server.name.startswith("Orthanc"):
        return bool(httpx.post(f"{base}/tools/lookup", content=uid, timeout=30).json())
    return httpx.get(f"{base}/v1/instances/{uid}", timeout=30).is_success


def rates_of(server: Server, load: Load) -> tuple[float, float]:
    """Return objects per second until the last answer, and until REST shows the last."""
    n = load.kind.n // len(load.folders) * len(load.folders)
    started = time.perf_counter()
    with ThreadPoolExecutor(len(load.folders)) as carts:
        list(carts.map(lambda folder: send(server, folder, load.kind.syntax), load.folders))
    kept = n / (time.perf_counter() - started)
    if not server.http_port:
        return kept, float("nan")
    for uid in load.last_uids:
        wait_until_shown(server, uid)
    return kept, n / (time.perf_counter() - started)


Measured = dict[tuple[str, int, str], list[tuple[float, float]]]


def measure(folder: Path, loads: list[Load], names: tuple[str, ...], rounds: int) -> Measured:
    """Push every load at every server; each round starts with another one."""
    measured: Measured = {}
    with Progress() as progress:
        task = progress.add_task(", ".join(names), total=rounds * len(names))
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                with clean_place(folder) as place, servers.SERVERS[name](place) as server:
                    idle.send_cine(server.port, objects.cine(n_bytes=1_000_000))
                    for load in loads:
                        key = (load.kind.name, len(load.folders), name)
                        measured.setdefault(key, []).append(rates_of(server, load))
                progress.advance(task)
    return measured


def rows(measured: Measured, names: tuple[str, ...]) -> list[str]:
    """Return a table of the gate's median rates and its ratios to the others, round by round."""
    lines = [
        "| object | associations | server | objects/s until answered | SonoGate / it | range "
        "| until shown | SonoGate / it | range |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, carts in dict.fromkeys(key[:2] for key in measured):
        own = measured[kind, carts, "gate"]
        for name in names:
            other = measured[kind, carts, name]
            cells = (*columns(own, other, 0), *columns(own, other, 1))
            lines.append(f"| {kind} | {carts} | {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def columns(
    own: list[tuple[float, float]], other: list[tuple[float, float]], which: int
) -> tuple[str, str, str]:
    """Return median rate, median ratio and range of ratios; blanks where nothing was measured."""
    theirs = [each[which] for each in other]
    if theirs[0] != theirs[0]:
        return "", "", ""
    ratios = [mine[which] / each for mine, each in zip(own, theirs, strict=True)]
    return (
        f"{statistics.median(theirs):.{0 if theirs[0] >= 100 else 1}f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
    )


def idle_share(folder: Path) -> float:
    """Return the share of a core that the gate takes with all idle associations open."""
    with clean_place(folder) as place, servers.gate(place) as server:
        held = idle.open_idle(server.port, N_IDLE)
        time.sleep(3)
        before = idle.cpu_seconds(server.pid)
        time.sleep(idle.WATCH_SECONDS)
        used = idle.cpu_seconds(server.pid) - before
        for each in held:
            each.close()
    return used / idle.WATCH_SECONDS


def report(folder: Path, rounds: int) -> str:
    """Return the page."""
    stills = [Load.make(kind, carts, folder) for kind in STILLS for carts in CARTS]
    cines = [Load.make(CINE, 4, folder)]
    beside = ("gate", "gate, 2 processes", "storescp", "orthanc")
    archives = ("gate", "gate, 2 processes", "storescp")
    return "\n".join(
        [
            "# The front door beside Orthanc and DCMTK\n",
            f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, `make front-door` with {rounds} rounds. "
            "The machine is shared: read the ratios.\n",
            "## Stills\n",
            f"{STILLS[0].n} JPEG or {STILLS[1].n} RGB stills a round, by DCMTK storescu, on one "
            "disk. Until answered: to the last Success; the gate and Orthanc sync before it, "
            "storescp does not. Until shown: to when REST knows the last object of each cart.\n",
            *rows(measure(folder, stills, beside, rounds), beside),
            "Targets, until answered: JPEG at least 2 x Orthanc and 0.6 x storescp; RGB at least "
            "1.5 x Orthanc.\n",
            "## Cines\n",
            f"Four carts at once send {N_CINES} uncompressed cines of 50 MB each.\n",
            *rows(measure(folder, cines, archives, rounds), archives),
            "Target: at least 0.6 x storescp.\n",
            f"## {N_IDLE} associations held open\n",
            f"The gate takes {100 * idle_share(folder):.2f} % of one core with {N_IDLE} idle "
            f"associations, over {idle.WATCH_SECONDS:.0f} s (target: at most 5 %).\n",
        ]
    )


def main() -> None:
    """Run it, print the page, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "front-door.md")
    arguments = parser.parse_args()
    scratch = ROOT / ".run"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        page = report(Path(folder), arguments.rounds)
    print(page)
    arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
