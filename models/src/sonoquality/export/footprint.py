"""Run one graph, or a whole entry, in a process of its own and print the most memory it ever held.

    python -m sonoquality.export.footprint WINDOWS THREADS [GRAPH or ENTRY]

Without a graph: what the process holds with an image's windows ready and nothing loaded.
"""

import os
import subprocess
import sys
from pathlib import Path

from sonoquality.export.sizes import Shown, shown
from sonoquality.model import QualityModel
from sonoquality.session import open_session

TIMES = 3  #: images, one after another: what one leaves behind counts


def footprint(path: Path | None, n_windows: int, threads: int) -> float:
    """Return the most memory (MB, resident) that a fresh process held, running a graph or entry."""
    words = [str(n_windows), str(threads), *([] if path is None else [str(path)])]
    found = subprocess.run(
        [sys.executable, "-m", __name__, *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(found.stdout)


def _run(picture: Shown, path: Path, threads: int) -> None:
    if path.is_dir():
        model = QualityModel.load(path, ("cpu",), threads)
        for _ in range(TIMES):
            model.score(picture.luma[None], picture.mask)
        return
    session = open_session(path, sha256="", ladder=("cpu",), threads=threads, cache=path.parent)
    for _ in range(TIMES):
        session.run(picture.windows.pixels, picture.windows.masks)


def _most_megabytes() -> float:
    # `ru_maxrss` would count what the process that started this one held.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    n_windows, threads = map(int, sys.argv[1:3])
    picture = shown(n_windows)
    for name in sys.argv[3:]:
        _run(picture, Path(name), threads)
    sys.stdout.write(f"{_most_megabytes():.1f}\n")
