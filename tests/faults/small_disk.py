"""A disk of a few megabytes for a gate alone: a tmpfs in a mount namespace of its own.

Where the system allows no mounts, a preloaded library says that the disk is full instead.
"""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sonogate.settings import KIB, MIB
from tests.faults.faults import Faults

DISK_BYTES: Final = 32 * MIB
"""Room for one round of objects."""
SPARED_BYTES: Final = 256 * KIB
"""What is left free when the disk is filled up: it runs full in the middle of an object."""


MOUNT: Final = 'mount -t tmpfs -o size="$1" tmpfs "$0" && echo held && exec cat'


class Disk(Protocol):
    """A disk that can be filled up, and freed again."""

    prefix: Sequence[str]
    environment: dict[str, str]
    kind: str

    def fill(self, spared_bytes: int = SPARED_BYTES) -> None:
        """Leave next to no room."""

    def free(self) -> None:
        """Give the room back."""


@dataclass
class Tmpfs:
    """A tmpfs that only the gate sees, and we by way of the process that holds it."""

    root: Path  #: of the namespace, seen from outside
    folder: Path
    prefix: Sequence[str]
    environment: dict[str, str]
    kind: str = "tmpfs"

    def fill(self, spared_bytes: int = SPARED_BYTES) -> None:
        """Lay a file into it that leaves next to no room."""
        ballast = self._ballast.open("wb")
        with contextlib.suppress(OSError), ballast:
            while True:
                ballast.write(bytes(64 * KIB))
                ballast.flush()
        size_bytes = self._ballast.stat().st_size
        os.truncate(self._ballast, max(0, size_bytes - spared_bytes))

    def free(self) -> None:
        """Take that file away."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.root / self.folder.relative_to("/") / "ballast"


@dataclass
class Refusing:
    """A disk of which a library says that it is full."""

    faults: Faults
    folder: Path
    environment: dict[str, str]
    prefix: Sequence[str] = ()
    kind: str = "library that answers ENOSPC"

    def fill(self, spared_bytes: int = SPARED_BYTES) -> None:
        """Refuse."""
        self.faults.arm(str(self.folder), create=errno.ENOSPC, write=errno.ENOSPC)

    def free(self) -> None:
        """Refuse no longer."""
        self.faults.clear()


@contextmanager
def small_disk(folder: Path, need_tool: Callable[[str], str], n_rounds: int) -> Iterator[Disk]:
    """Have a small disk mounted at a folder, for the time of the block."""
    folder.mkdir()
    unshare, nsenter = shutil.which("unshare"), shutil.which("nsenter")
    is_root = os.geteuid() == 0
    ours = ["--mount"] if is_root else ["--mount", "--user"]
    mapped = [] if is_root else ["--map-root-user"]
    holder = None
    if unshare and nsenter:
        holder = subprocess.Popen(
            (unshare, *ours, *mapped, "sh", "-c", MOUNT, str(folder), str(n_rounds * DISK_BYTES)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert holder.stdout is not None
        if holder.stdout.readline() == b"held\n":
            entering = [nsenter, "--target", str(holder.pid), *ours]
            entering += [] if is_root else ["--preserve-credentials"]
            try:
                yield Tmpfs(Path(f"/proc/{holder.pid}/root"), folder, [*entering, "--"], {})
            finally:
                holder.communicate()
            return
        holder.communicate()
    faults = Faults(folder.parent, need_tool("gcc"))
    try:
        yield Refusing(faults, folder, faults.environment)
    finally:
        faults.close()
