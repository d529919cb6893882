"""Ask the system to let a thread run as soon as what it waits for is there."""

import ctypes
import os
import platform
import struct
import sys
from typing import Final

SLICE_NANOSECONDS: Final = 100_000
"""The shortest that Linux takes (sched_setattr(2)). Its own is about 3 ms: so long, or to the next
tick, a thread that wakes waits on a busy machine for whoever runs, whatever their priorities."""

_SYSTEM_CALLS: Final = {"x86_64": 314, "aarch64": 274}
"""`sched_setattr`, which only new C libraries know by its name."""
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")  # linux/sched/types.h, SCHED_ATTR_SIZE_VER0
_NORMAL: Final = 0
_RESET_ON_FORK: Final = 0x01


def wake_promptly() -> bool:
    """Shorten the calling thread's slice; neither its priority nor its share changes.

    From Linux 6.12 a thread that wakes goes before a running one with a longer slice. What the
    thread starts, threads and processes, does not inherit it.

    Returns:
        Whether the system took it; an older one says yes and does nothing. A thread that somebody
        gave another policy keeps that.
    """
    number = _SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, _NORMAL, _RESET_ON_FORK, niceness, 0, SLICE_NANOSECONDS, 0, 0
    )
    return int(ctypes.CDLL(None).syscall(number, 0, attributes, 0)) == 0
