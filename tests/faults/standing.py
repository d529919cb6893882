"""What a gate holds: descriptors, threads, tasks, files; it may not grow with the faults."""

import contextlib
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.acceptance.serving import Served

PATIENCE_SECONDS: Final = 30.0
PASSING: Final = ("spool/files", "uploads", "outgoing")
"""Folders of files; but for large objects that are kept, they are there while something is on its
way."""


SPARE_THREADS: Final = 10
"""Threads of pools that are started when first needed; fewer than the faults of a long run."""
CONNECTIONS: Final = 5
"""To the database: one that writes, four that read, opened when first needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Counted from outside, but for the tasks, of which the gate's metrics tell."""

    descriptors: Counter[str]  #: files by name, sockets and the like by kind
    n_threads: int
    n_workers: int
    n_tasks: int
    n_files: int

    def beyond(self, other: "Standing") -> dict[str, tuple[int, int]]:
        """Return what is more than in another: (there, here)."""
        there = {"threads": other.n_threads + SPARE_THREADS, "workers": other.n_workers}
        there |= {"tasks": other.n_tasks, "files": other.n_files} | other.descriptors
        here = {"threads": self.n_threads, "workers": self.n_workers}
        here |= {"tasks": self.n_tasks, "files": self.n_files} | self.descriptors
        pairs = {
            name: (max(there.get(name, 0), CONNECTIONS * (".db" in name)), n)
            for name, n in here.items()
        }
        return {name: pair for name, pair in pairs.items() if pair[1] > pair[0]}


def descriptors_of(process: Path) -> Counter[str]:
    """Count what a process has open; a segment is a segment, whatever its name."""
    names: Counter[str] = Counter()
    for each in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            name = str(each.readlink())
            kind = name.partition(":")[0] if not name.startswith("/") else Path(name).name
            names["a segment" if kind.endswith(".segment") else kind] += 1
    return names


def get(url: str, seconds: float = 20.0) -> tuple[int, str]:
    """Return the status and the body at an address, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metric(served: Served, name: str) -> float:
    """Return the value of a metric without labels."""
    lines = get(served.url("/metrics"))[1].splitlines()
    return float(next(line.split()[1] for line in lines if line.split(" ")[0] == name))


def standing(served: Served, n_large: int = 0) -> Standing:
    """Count what a gate holds now; large objects that are kept count not as files."""
    assert served.process is not None
    process = Path(f"/proc/{served.process.pid}")
    data_dir = process / "root" / served.data_dir.relative_to("/")
    folders = [data_dir / name for name in PASSING]
    return Standing(
        descriptors=descriptors_of(process),
        n_threads=len(list((process / "task").iterdir())),
        n_workers=len(served.worker_ids()),
        n_tasks=round(metric(served, "sonogate_tasks")),
        n_files=sum(1 for each in folders if each.is_dir() for _ in each.iterdir()) - n_large,
    )


def grown(served: Served, before: Standing, n_large: int = 0) -> dict[str, tuple[int, int]]:
    """Return what a gate holds more than before, once it has shrunk or patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (more := standing(served, n_large).beyond(before)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return more


def warm_up(served: Served) -> None:
    """Ask for so much at once that every pool of connections is as large as it gets."""
    paths = ["/v1/studies", "/health/ready", "/metrics", "/v1/destinations"] * 8
    with ThreadPoolExecutor(16) as asking:
        list(asking.map(lambda path: get(served.url(path)), paths))


def eventually(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something is so; return whether it is."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def without_grade(served: Served, uids: Iterable[str], seconds: float = 120.0) -> dict[str, str]:
    """Return those instances that have no graded verdict when patience ends, and what they have."""
    statuses, deadline = dict.fromkeys(uids, "pending"), time.monotonic() + seconds
    waiting = list(statuses)
    while waiting and time.monotonic() < deadline:
        for uid in waiting:
            code, _body = get(served.url(f"/v1/instances/{uid}"))
            statuses[uid] = (
                served.get(f"/v1/instances/{uid}")["status"] if code == 200 else str(code)
            )
        waiting = [uid for uid in waiting if statuses[uid] in {"pending", "503", "404"}]
        time.sleep(0.2 if waiting else 0.0)
    return {uid: status for uid, status in statuses.items() if status != "graded"}
