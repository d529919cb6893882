"""Run the gate so that the record tells which place in our code asked for each sync.

python tests/acceptance/power_cut/marked.py RECORDER serve --config FILE

A place is `module:function/call`: `sonogate.receive.spool.segment:Segment.append/fdatasync`. A
function that does nothing but sync is no place; who called it is.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from types import FrameType

HELPERS = ("sync_folder", "_sync_folder", "_sync")
"""Functions that sync a folder for others."""


def place_of(frame: FrameType, call: str) -> str:
    """Return the place of a call that was made in a frame."""
    name = frame.f_code.co_name
    if name in HELPERS and frame.f_back is not None:
        return place_of(frame.f_back, name)
    return f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}/{call}"


def marked(call: str, say: Callable[[bytes], None]) -> Callable[[int], None]:
    """Return a sync of `os` that says first where it was asked for."""
    real: Callable[[int], None] = getattr(os, call)

    def sync(descriptor: int) -> None:
        say(place_of(sys._getframe(1), call).encode())
        try:
            real(descriptor)
        finally:
            say(b"")

    return sync


def main(recorder: str) -> None:
    """Mark both calls, then run the gate's command line."""
    say = ctypes.CDLL(recorder).power_cut_place
    for call in ("fsync", "fdatasync"):
        setattr(os, call, marked(call, say))
    from sonogate.cli import main as run

    run()


if __name__ == "__main__":
    main(sys.argv.pop(1))
