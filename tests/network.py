"""Tests that change the network cards of this machine, and those that must not see it.

A browser gives up whatever it is loading when a card comes or goes (net::ERR_NETWORK_CHANGED).
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOCK: Final = Path(tempfile.gettempdir()) / f"sonogate-tests-network-{os.getuid()}.lock"
"""Of this user: another's could not be opened."""


@contextmanager
def unchanged() -> Iterator[None]:
    """No test changes the network during the block; any number may be in such blocks at once."""
    with _held(fcntl.LOCK_SH):
        yield


@contextmanager
def changing() -> Iterator[None]:
    """Nobody relies on an unchanged network during the block."""
    with _held(fcntl.LOCK_EX):
        yield


@contextmanager
def _held(kind: int) -> Iterator[None]:
    with _LOCK.open("ab") as lock:
        fcntl.flock(lock, kind)
        yield
