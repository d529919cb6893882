"""Shut a scoring worker in: no network, no new privileges, bounded memory, no life of its own.

Linux only where Linux is needed; elsewhere a step that is not to be had is skipped and named.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from sonogate.observe.dumps import forbid_dumps

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
MAX_OPEN_FILES = 128
NICENESS = 19
"""Receiving goes before scoring where both want the same core: a cart never waits for a model.
Loading does not step back: on a busy machine nothing could be scored for minutes."""


def confine() -> list[str]:
    """Confine this process; call it before anything starts a thread.

    Returns:
        The steps that this system did not allow, in plain words.
    """
    forbid_dumps()
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    if sys.platform != "linux":
        return ["no network isolation outside Linux"]
    end_with_parent()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        return [f"no network isolation: {os.strerror(ctypes.get_errno())}"]
    return []


def end_with_parent() -> None:
    """Have the system kill this process when its parent ends, and let it gain no privilege."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def tighten(extra_bytes: int) -> None:
    """Once the model is loaded: no more files written, bounded memory, others first.

    A compiled engine may be cached while the model loads, so the ban on writing comes only now.

    Args:
        extra_bytes: address space beyond what the process holds now; relative, since a GPU runtime
            reserves far more than it uses.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for thread in Path("/proc/self/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), NICENESS)
