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


@cache
def scratch() -> Path:
    """Return a folder for the files of this process, in memory where the system has such a disk."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    place = str(shared) if os.access(shared, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="sonogate-fuzz-", dir=place))


def peak_bytes() -> int:
    """Return the most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
