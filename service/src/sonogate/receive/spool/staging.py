"""Memory from which whole blocks go to the disk without the system's cache."""

import errno
import fcntl
import mmap
import os
from collections.abc import Sequence
from typing import Final

from sonogate.receive.spool.files import Block
from sonogate.settings import MIB

ALIGNMENT: Final = 4096
"""Bytes; what no disk in use asks more than, of places in a file as of those in memory."""
STAGING_BYTES: Final = 4 * MIB
"""Written at once; the largest still is one write."""


class Staging:
    """Where blocks are put together; kept, so that its pages are there before the next write.

    The memory is shared and anonymous: a direct write from private pages must not meet a fork
    (open(2), O_DIRECT).
    """

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, STAGING_BYTES))

    def write(self, descriptor: int, blocks: Sequence[Block], at: int) -> None:
        """Write blocks one behind the other from a place in a file; both are whole `ALIGNMENT`s.

        Raises:
            OSError: The disk refused; some of it may be there.
        """
        used = 0
        for block in blocks:
            rest = memoryview(block)
            while rest:
                if used == STAGING_BYTES:
                    at, used = self._empty(descriptor, used, at), 0
                piece = rest[: STAGING_BYTES - used]
                self._memory[used : used + len(piece)] = piece
                used, rest = used + len(piece), rest[len(piece) :]
        self._empty(descriptor, used, at)

    def _empty(self, descriptor: int, used: int, at: int) -> int:
        written = 0
        while written < used:
            written += os.pwrite(descriptor, self._memory[written:used], at + written)
        return at + written


def padding_after(n_bytes: int) -> bytes:
    """Return the zeros that fill the last block."""
    return bytes(-n_bytes % ALIGNMENT)


def pass_by_cache(descriptor: int, *, is_wanted: bool = True) -> bool:
    """Have writes go to the disk past the system's cache, or again through it.

    Returns:
        Whether it is so now; not every file system can.
    """
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | os.O_DIRECT if is_wanted else flags & ~os.O_DIRECT
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, wanted)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return is_wanted
