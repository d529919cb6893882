"""A gate that begins to end, ends: what holds it up is named, and the process goes without it.

What was acknowledged is durable at any moment, so an end by force costs what a crash does.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from types import FrameType
from typing import Any, Final

from sonogate.observe.logs import get_logger
from sonogate.observe.unasked import place

END_SECONDS: Final = 25.0
"""From the beginning of the end; both doors give what is under way five seconds of it."""
MAX_PLACES: Final = 40
MAX_FRAMES: Final = 6
"""Of one thread, the innermost."""
MAX_STEPS: Final = 50
EXIT_CODE: Final = 1

log = get_logger()


def end_in_time() -> None:
    """Let the process end by force if it has not ended in time; call it in the event loop."""
    loop = asyncio.get_running_loop()
    threading.Thread(target=_watch, args=(loop, END_SECONDS), name="ending", daemon=True).start()


def _watch(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    time.sleep(seconds)
    try:
        log.critical("end held up", seconds=seconds, frames=list(islice(held_up(loop), MAX_PLACES)))
    finally:
        os._exit(EXIT_CODE)


def held_up(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Say where tasks wait and threads are; places in code, never values."""
    if not loop.is_closed():
        for task in asyncio.all_tasks(loop):
            places = [_place(frame) for frame in _inwards(task.get_coro())]
            yield " ".join(("task", *places[-MAX_FRAMES:]))
    for thread_id, frame in sys._current_frames().items():
        if thread_id != threading.get_ident():
            yield " ".join(("thread", *_outwards(frame)))


def _inwards(awaited: Any) -> Iterator[FrameType]:
    """Walk down what a task awaits; its own `get_stack` stops at the first step."""
    for _ in range(MAX_STEPS):
        frames = (getattr(awaited, name, None) for name in ("cr_frame", "ag_frame", "gi_frame"))
        frame = next((each for each in frames if each is not None), None)
        if frame is not None:
            yield frame
            names = ("cr_await", "ag_await", "gi_yieldfrom")
            awaited = next(getattr(awaited, each) for each in names if hasattr(awaited, each))
            continue
        # A step of an asynchronous generator, the body of `asynccontextmanager`, shows nothing.
        inside = [each for each in gc.get_referents(awaited) if isinstance(each, AsyncGenerator)]
        if not inside:
            return
        awaited = inside[0]


def _outwards(frame: FrameType | None) -> list[str]:
    """Return where a thread is, the innermost last."""
    places: list[str] = []
    while frame is not None and len(places) < MAX_FRAMES:
        places.insert(0, _place(frame))
        frame = frame.f_back
    return places


def _place(frame: FrameType) -> str:
    return place(frame.f_code.co_filename, frame.f_lineno)
