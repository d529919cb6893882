"""Tune the interpreter and the C library of the gate's process for short answers."""

import ctypes
import gc
import sys

from sonogate.receive.promptness import wake_promptly
from sonogate.settings import MIB

COLLECT_EVERY = (20_000, 20, 50)
"""Allocations between garbage collections; Python's default looks at every object far too often."""
SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while the listener waits for it; Python's 5 ms is as
long as keeping an object takes."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 64 * MIB


def make_ready_for_carts() -> None:
    """Tune the process for short answers: quick thread changes, rare and small collections."""
    wake_promptly()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep what large objects used: clearing fresh pages for each costs like a copy.

    Where the C library is another, nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, KEPT_BYTES)
