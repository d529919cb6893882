"""What a fuzzed door is: some bytes in, an orderly end out, or an exception that is a finding."""

import os
import resource
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

STORED: Final = Path(__file__).parent / "corpus"
"""Inputs that a campaign found worth keeping, a folder for each target."""
WORKER_BYTES: Final = 3 * 1024**3
"""As `scoring.memory_bytes` is by default, and set the same way: beyond what is held now."""
GATE_GROWS_BYTES: Final = 256 * 1024**2
"""What hostile bytes may add to the listener's peak; the fuzzer's own inputs count too."""
MAX_INPUT_BYTES: Final = 16 * 1024
"""Inputs grow no longer than this; real headers, command sets and small frames fit."""


class Side(StrEnum):
    """In which process the bytes are read, and so what a crash would cost."""

    GATE = "gate"
    """The process of the listener: an exception closes one connection, a crash ends the gate."""
    WORKER = "worker"
    """A process of its own: whatever happens costs one worker."""


Run = Callable[[bytes], str]
Seeds = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way by which bytes of a stranger come in."""

    name: str
    side: Side
    run: Run
    """Reads an input; returns in a word or two how it ended, raises if it ended as it may not."""
    seeds: Seeds
    """Inputs of our own making, by name, from which mutation starts."""


def scratch() -> Path:
    """Return a folder for the files of this process, in memory where the system has such a disk."""
    return _scratch_of(os.getpid())


@cache
def _scratch_of(_pid: int) -> Path:
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    place = str(shared) if os.access(shared, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="sonogate-fuzz-", dir=place))


def peak_bytes() -> int:
    """Return the most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_memory() -> None:
    """Bound this process as a worker's is: by its address space (`score.confinement.tighten`)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + WORKER_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def inputs_of(target: Target) -> dict[str, bytes]:
    """Return a target's own inputs and those stored for it, by name."""
    stored = sorted((STORED / target.name).glob("*"))
    return {**target.seeds(), **{path.name: path.read_bytes() for path in stored}}
