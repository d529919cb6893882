"""The hand on the switch: makes the disk of a preloaded process fail or crawl, its clock jump."""

import mmap
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "injector.c"
_LAYOUT: Final = struct.Struct("<8iq256s")
_HITS_OFFSET: Final = 7 * 4
CALLS: Final = ("create", "write", "sync", "read", "unlink", "statvfs")
"""The calls that can be made to fail, in the order of injector.c's `struct control`."""


class Faults:
    """The control file of `injector.c`, and what a process needs to obey it."""

    def __init__(self, folder: Path, compiler: str) -> None:
        self._library = folder / "injector.so"
        build = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True)
        self._path = folder / "faults"
        self._path.write_bytes(bytes(_LAYOUT.size))
        with self._path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._clock_seconds = 0

    @property
    def environment(self) -> dict[str, str]:
        """What the process is started with."""
        return {"LD_PRELOAD": str(self._library), "FAULTS_CONTROL": str(self._path)}

    @property
    def n_hits(self) -> int:
        """Calls that were failed or delayed since the fault was armed."""
        (n_hits,) = struct.unpack_from("<i", self._map, _HITS_OFFSET)
        return int(n_hits)

    def arm(self, match: str, *, delay_seconds: float = 0.0, **errors: int) -> None:
        """Let calls on files whose path contains `match` fail with these numbers of `errno`."""
        numbers = [errors.pop(call, 0) for call in CALLS]
        assert not errors, f"no such call: {errors}"
        self._write([*numbers, round(delay_seconds * 1e6)], match)

    def clear(self) -> None:
        """Let the disk work again; the clock stays as it was set."""
        self._write([0] * 7, "", self.n_hits)

    def set_clock(self, seconds: int) -> None:
        """Let the wall clock be so far ahead of the machine's; negative: behind."""
        self._clock_seconds = seconds
        self.clear()

    def close(self) -> None:
        """Let go of the control file."""
        self._map.close()

    def _write(self, numbers: list[int], match: str, n_hits: int = 0) -> None:
        self._map[:] = _LAYOUT.pack(*numbers, n_hits, self._clock_seconds, match.encode())


@contextmanager
def failing(faults: Faults, match: str, **how: float) -> Iterator[None]:
    """Hold a fault for the time of the block."""
    delay_seconds = float(how.pop("delay_seconds", 0.0))
    faults.arm(match, delay_seconds=delay_seconds, **{call: int(how[call]) for call in how})
    try:
        yield
    finally:
        faults.clear()
