"""No image of a process's memory is written when it crashes: it would hold what carts sent."""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """Forbid core files of this process and its children; on Linux also dumps by the system.

    A collector that the system pipes dumps to (systemd-coredump, apport) need not mind the limit on
    core files, so the process is marked as not to be dumped. Its children must do so themselves:
    the mark ends with exec.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)
