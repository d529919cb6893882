"""Push objects at a steady pace for an hour; watch memory, descriptors, threads and answers.

    make soak                                 20 objects/s for 60 minutes
    make soak SOAK="--minutes 2 --rate 10"    a quick look

The gate runs as in `make bench`, but with room for more unjudged objects: two cores can't score
twenty images a second, so the backlog grows, and memory must be flat all the same.
"""

import argparse
import csv
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundImageStorage
from rich.progress import Progress

from loadtests import objects, servers
from loadtests.bench import ROOT, machine

N_CARTS = 4
SAMPLE_SECONDS = 5.0
SETTLED_SHARE = 1 / 6
"""Share of the run that is left out of the slope: workers load, caches fill."""
UNJUDGED = 1_000_000
PANEL = (900, 220)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the gate's processes hold at one moment."""

    at_seconds: float
    gate_bytes: int  #: resident memory of the process that listens
    all_bytes: int  #: with its workers
    descriptors: int
    threads: int


@dataclass
class Sent:
    """What one cart saw."""

    answers: list[tuple[float, float]] = field(default_factory=list)  #: (at, seconds) of each
    refused: int = 0


def cart(port: int, pace: float, until: float, began: float, ds: Dataset) -> Sent:
    """Send one still every `pace` seconds over one association; never faster to catch up."""
    ae, sent = AE(ae_title="SOAK"), Sent()
    ae.add_requested_context(UltrasoundImageStorage, JPEGBaseline8Bit)
    association = ae.associate("127.0.0.1", port, ae_title="SONOGATE")
    due = time.perf_counter()
    while time.perf_counter() < until:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        asked = time.perf_counter()
        status = association.send_c_store(ds)
        answered = time.perf_counter()
        if status and status.Status == 0:
            sent.answers.append((asked - began, answered - asked))
        else:
            sent.refused += 1
        due = max(due + pace, answered - 10 * pace)
        time.sleep(max(0.0, due - time.perf_counter()))
    association.release()
    return sent


def sample(pid: int, began: float) -> Sample:
    """Read /proc of the gate and of all that it started."""
    resident = {each: resident_bytes(each) for each in (pid, *descendants(pid))}
    return Sample(
        at_seconds=round(time.perf_counter() - began, 1),
        gate_bytes=resident[pid],
        all_bytes=sum(resident.values()),
        descriptors=count(Path(f"/proc/{pid}/fd")),
        threads=count(Path(f"/proc/{pid}/task")),
    )


def count(folder: Path) -> int:
    """Return how many entries a folder has."""
    return sum(1 for _ in folder.iterdir())


def descendants(pid: int) -> Iterator[int]:
    """Name every process below one."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text(encoding="ascii").split()):
            yield child
            yield from descendants(child)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 of one that ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watched(pid: int, began: float) -> Iterator[list[Sample]]:
    """Take samples in a thread for the time of the block."""
    samples, over = [sample(pid, began)], threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append(sample(pid, began))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def slope(samples: list[Sample], name: str) -> float:
    """Return bytes gained per hour: the line of least squares after the beginning."""
    late = samples[int(len(samples) * SETTLED_SHARE) :]
    hours = np.array([each.at_seconds / 3600 for each in late])
    values = np.array([getattr(each, name) for each in late], dtype=np.float64)
    return float(np.polyfit(hours, values, 1)[0])


def report(samples: list[Sample], carts: list[Sent], rate: float, minutes: float) -> str:
    """Return the page."""
    answers = sorted(seconds for sent in carts for _, seconds in sent.answers)
    reached = len(answers) / samples[-1].at_seconds
    late = samples[int(len(samples) * SETTLED_SHARE) :]
    return "\n".join(
        [
            "# An hour under a steady push\n",
            f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, `make soak`: {N_CARTS} carts push "
            f"{rate:g} stills of 84 kB a second for {minutes:g} minutes; two workers score.\n",
            "| | |",
            "| --- | --- |",
            f"| acknowledged | {len(answers)} ({reached:.1f}/s) |",
            f"| refused | {sum(sent.refused for sent in carts)} |",
            f"| answer, median | {1000 * statistics.median(answers):.1f} ms |",
            f"| answer, p99 | {1000 * answers[int(0.99 * len(answers))]:.1f} ms (target: 250) |",
            f"| answer, longest | {1000 * answers[-1]:.0f} ms |",
            f"| memory of the gate's process, slope | {slope(samples, 'gate_bytes') / 1e6:+.1f} MB "
            f"an hour, from {late[0].gate_bytes / 1e6:.0f} MB |",
            f"| with its workers | {slope(samples, 'all_bytes') / 1e6:+.1f} MB an hour, from "
            f"{late[0].all_bytes / 1e6:.0f} MB |",
            f"| descriptors, first and last | {late[0].descriptors}, {late[-1].descriptors} |",
            f"| threads, first and last | {late[0].threads}, {late[-1].threads} |",
            "",
            f"The first {100 * SETTLED_SHARE:.0f} % are left out of slopes. "
            "Every sample: [CSV](csv/soak.csv).\n",
            "![Memory and answers over the hour](../images/soak.png)\n",
        ]
    )


def draw(samples: list[Sample], carts: list[Sent], path: Path) -> None:
    """Draw memory, and the longest answer of each sample's time, as a PNG."""
    times = [each.at_seconds for each in samples]
    longest = [0.0] * len(times)
    for sent in carts:
        for at, seconds in sent.answers:
            place = min(int(np.searchsorted(times, at)), len(times) - 1)
            longest[place] = max(longest[place], 1000 * seconds)
    panels = (
        ("gate, MB", [each.gate_bytes / 1e6 for each in samples]),
        ("gate and workers, MB", [each.all_bytes / 1e6 for each in samples]),
        ("longest answer in 5 s, ms", longest),
    )
    width, height = PANEL
    image = Image.new("RGB", (width, height * len(panels)), "white")
    for number, (title, values) in enumerate(panels):
        panel(ImageDraw.Draw(image), number * height, title, times, values)
    image.save(path)


def panel(
    pen: ImageDraw.ImageDraw, top: int, title: str, times: list[float], values: list[float]
) -> None:
    """Draw one curve from zero to its peak."""
    width, height = PANEL
    peak, end = max(*values, 1e-9), max(*times, 1e-9)
    left, right, low, high = 60, width - 20, top + height - 25, top + 25
    pen.line([(left, high), (left, low), (right, low)], fill="#888888")
    pen.text((left, top + 6), f"{title}; peak {peak:.0f}; {end / 60:.0f} minutes", fill="black")
    pen.text((left - 50, high - 5), f"{peak:.0f}", fill="black")
    pen.text((left - 14, low - 10), "0", fill="black")
    points = [
        (left + at / end * (right - left), low - value / peak * (low - high))
        for at, value in zip(times, values, strict=True)
    ]
    pen.line(points, fill="#1f5f99", width=2)


def save_csv(samples: list[Sample], path: Path) -> None:
    """Write every sample."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(each.name for each in fields(Sample))
        table.writerows(astuple(each) for each in samples)


def run(folder: Path, rate: float, minutes: float) -> tuple[list[Sample], list[Sent]]:
    """Start a gate, push, and return what was seen."""
    stills = [objects.jpeg_still(seed) for seed in range(N_CARTS)]
    with servers.gate(folder, max_unjudged=UNJUDGED) as server:
        began = time.perf_counter()
        until = began + 60 * minutes
        with Progress() as progress, watched(server.pid, began) as samples:
            task = progress.add_task("soak", total=60 * minutes)
            with ThreadPoolExecutor(N_CARTS) as pool:
                pushing = [
                    pool.submit(cart, server.port, N_CARTS / rate, until, began, ds)
                    for ds in stills
                ]
                while time.perf_counter() < until:
                    time.sleep(1)
                    progress.update(task, completed=time.perf_counter() - began)
                return samples, [each.result() for each in pushing]


def main() -> None:
    """Run it, print the page, and write page, samples and picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="objects per second, over all")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    scratch = ROOT / ".run"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        samples, carts = run(Path(folder), arguments.rate, arguments.minutes)
    page = report(samples, carts, arguments.rate, arguments.minutes)
    print(page)
    (arguments.docs / "results" / "soak.md").write_text(page, encoding="utf-8")
    save_csv(samples, arguments.docs / "results" / "csv" / "soak.csv")
    draw(samples, carts, arguments.docs / "images" / "soak.png")


if __name__ == "__main__":
    main()
