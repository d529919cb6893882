"""A thread that a cart waits for runs as soon as it can; what it starts does not."""

import ctypes
import os
import platform
import struct
import subprocess
import sys
import threading

import pytest

from sonogate.receive.promptness import SLICE_NANOSECONDS, wake_promptly

GET_ATTRIBUTES = {"x86_64": 315, "aarch64": 275}
SLICE_OFFSET = 24
READ = f"""
import ctypes, struct
room = ctypes.create_string_buffer(48)
assert ctypes.CDLL(None).syscall({GET_ATTRIBUTES.get(platform.machine(), 0)}, 0, room, 48, 0) == 0
print(struct.unpack_from("=Q", room.raw, {SLICE_OFFSET})[0])
"""


def slice_of_this_thread() -> int:
    """Return the slice in nanoseconds (sched_getattr(2))."""
    room = ctypes.create_string_buffer(48)
    number = GET_ATTRIBUTES[platform.machine()]
    assert 0 == ctypes.CDLL(None).syscall(number, 0, room, 48, 0)
    return int(struct.unpack_from("=Q", room.raw, SLICE_OFFSET)[0])


def linux() -> tuple[int, ...]:
    """Return the first two numbers of the kernel's version."""
    return tuple(map(int, platform.release().split("-")[0].split(".")[:2]))


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in GET_ATTRIBUTES or linux() < (6, 12),
    reason="slices of a thread's own came with Linux 6.12",
)
def test_a_short_slice_is_the_threads_own() -> None:
    """Neither its threads nor its processes have it, and its niceness stays."""
    seen: dict[str, int] = {}

    def prompt() -> None:
        niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert wake_promptly()
        seen["own"] = slice_of_this_thread()
        seen["niceness"] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) - niceness
        other = threading.Thread(target=lambda: seen.update(thread=slice_of_this_thread()))
        other.start()
        other.join()
        asked = subprocess.run([sys.executable, "-c", READ], capture_output=True, check=True)
        seen["process"] = int(asked.stdout)

    fresh = subprocess.run([sys.executable, "-c", READ], capture_output=True, check=True)
    usual = int(fresh.stdout)  # not this thread's: an earlier test may have made it prompt
    thread = threading.Thread(target=prompt)
    thread.start()
    thread.join()

    expected = {"own": SLICE_NANOSECONDS, "niceness": 0, "thread": usual, "process": usual}
    assert expected == seen
