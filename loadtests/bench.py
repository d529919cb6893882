"""Measure the gate beside its baselines in the same run: latency, rate, idle cost, memory.

    make bench                     everything, median of five paired rounds
    make bench BENCH="--rounds 1"  a quick look

Every target of the comparison gets the same objects from the same client (DCMTK storescu) on the
same disk. Absolute times depend on the machine and its neighbours; the ratios are what is claimed.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import Progress

from loadtests import idle, latency, objects, servers
from loadtests.servers import NODELAY, Server, tool

ROOT = Path(__file__).resolve().parents[1]
N_STILLS = 800
N_RGB = 160
N_WARM_UP = 50
CARTS = (1, 4)


def push(server: Server, path: Path, n: int, syntax: str) -> float:
    """Send one file n times under invented UIDs over one association; return objects per second."""
    command = [
        tool("storescu") or "storescu",
        syntax,
        "+II",
        "--repeat",
        str(n),
        "-aec",
        "SONOGATE",
        "127.0.0.1",
        str(server.port),
        str(path),
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | NODELAY)
    return n / (time.perf_counter() - started)


def push_with(server: Server, path: Path, n: int, syntax: str, n_carts: int) -> float:
    """Send from several carts at once; return objects per second over all."""
    started = time.perf_counter()
    with ThreadPoolExecutor(n_carts) as carts:
        list(carts.map(lambda _: push(server, path, n // n_carts, syntax), range(n_carts)))
    return n / (time.perf_counter() - started)


Measured = dict[tuple[str, int, str], list[float]]


def rates(folder: Path, rounds: int, names: list[str]) -> list[str]:
    """Return table rows of objects per second; each round starts with another server."""
    measured: Measured = {}
    stills = (
        ("84 kB JPEG", objects.save(objects.jpeg_still(), folder / "jpeg.dcm"), N_STILLS, "-xy"),
        ("1.4 MB RGB", objects.save(objects.rgb_still(), folder / "rgb.dcm"), N_RGB, "-xe"),
    )
    with Progress() as progress:
        task = progress.add_task("rates", total=rounds * len(names))
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                with clean_place(folder) as place, servers.SERVERS[name](place) as server:
                    measure_rates(server, name, stills, measured)
                progress.advance(task)
    order = [(kind, carts, name) for kind, *_ in stills for carts in CARTS for name in names]
    return [row(key, measured) for key in order]


def measure_rates(
    server: Server, name: str, stills: tuple[tuple[str, Path, int, str], ...], measured: Measured
) -> None:
    """Warm a server up, then push every kind of still from one cart and from several."""
    push(server, stills[0][1], N_WARM_UP, stills[0][3])
    for kind, path, n, syntax in stills:
        for n_carts in CARTS:
            rate = push_with(server, path, n, syntax, n_carts)
            measured.setdefault((kind, n_carts, name), []).append(rate)


@contextmanager
def clean_place(folder: Path) -> Iterator[Path]:
    """Lend a folder on an idle disk: what the server before left unsynced is not its burden."""
    place = folder / "place"
    place.mkdir()
    os.sync()
    try:
        yield place
    finally:
        shutil.rmtree(place)


def row(key: tuple[str, int, str], measured: Measured) -> str:
    """Return one table row: median rate, the gate's ratio to it round by round, and its range."""
    kind, n_carts, name = key
    own = measured[kind, n_carts, "gate"]
    ratios = [gate / other for gate, other in zip(own, measured[key], strict=True)]
    return (
        f"| {kind} | {n_carts} | {name} | {statistics.median(measured[key]):.0f} | "
        f"{statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
    )


def machine() -> str:
    """Describe the machine without naming it."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = {line.split(":")[1].strip() for line in text.splitlines() if "model name" in line}
    processor = ", ".join(names) or platform.machine()
    return f"{os.cpu_count()} cores, {processor}, Python {platform.python_version()}"


def main() -> None:
    """Run what was asked for, print it, and write docs/results/bench.md when everything ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["latency", "rate", "idle", "memory"])
    parser.add_argument("--scratch", type=Path, default=ROOT / ".run")
    arguments = parser.parse_args()
    arguments.scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        report = measure(Path(scratch), arguments.rounds, arguments.only)
    print(report)
    if arguments.only is None:
        (ROOT / "docs" / "results" / "bench.md").write_text(report, encoding="utf-8")


def measure(folder: Path, rounds: int, only: str | None) -> str:
    """Return the report."""
    names = [
        name
        for name in servers.SERVERS
        if name in {"gate", "bare"} or tool({"orthanc": "Orthanc"}.get(name, name))
    ]
    parts = [
        "# Speed beside its baselines\n",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, `make bench` with {rounds} rounds. "
        "The machine is shared: read the ratios.\n",
    ]
    if only in {None, "latency"}:
        parts += latency.report(folder, rounds)
    if only in {None, "rate"}:
        parts += [
            "## Objects per second, durable\n",
            f"{N_STILLS} JPEG or {N_RGB} RGB stills a round and row, by DCMTK storescu. Ratio: "
            "SonoGate divided by that server, median and range of the paired rounds. While a cart "
            "pushes in bulk each scoring worker rests up to 2 s between objects (ADR 8).\n",
            "| object | associations | server | objects/s | SonoGate / it | range |",
            "| --- | --- | --- | --- | --- | --- |",
            *rates(folder, rounds, names),
            "",
        ]
    if only in {None, "idle"}:
        parts += idle.report(folder)
    if only in {None, "memory"}:
        parts += idle.memory_report(folder)
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
