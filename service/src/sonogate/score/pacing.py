"""When to score: not while a cart pushes a whole exam at once, and never much later.

Nobody waits for a single verdict in the middle of a bulk push, but the cart waits for every answer.
Images that a person acquires come seconds apart and are never held.
"""

import asyncio
import time
from collections import deque
from typing import Final

RUSH_OBJECTS: Final = 25
RUSH_SECONDS: Final = 0.5
"""So many objects in so short a time are a bulk push; no person freezes images that fast."""
REST_SECONDS: Final = 2.0
"""How long each worker rests at most before its next object: an endless rush sees verdicts too."""
LOOK_SECONDS: Final = 0.05


class Pace:
    """Holds scoring back during a rush."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=RUSH_OBJECTS)

    def note_arrival(self) -> None:
        """An object was entered."""
        self._arrivals.append(time.monotonic())

    @property
    def is_rush(self) -> bool:
        """Whether a cart pushes in bulk."""
        arrivals = self._arrivals
        is_many = len(arrivals) == RUSH_OBJECTS
        return is_many and time.monotonic() - arrivals[0] < RUSH_SECONDS

    async def rest(self) -> None:
        """Return when the rush is over, or after `REST_SECONDS`."""
        end = time.monotonic() + REST_SECONDS
        while self.is_rush and time.monotonic() < end:  # noqa: ASYNC110 - time alone ends a rush
            await asyncio.sleep(LOOK_SECONDS)
