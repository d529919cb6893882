"""Whether somebody set the machine's clock while we ran: the wall clock against the steady one."""

import time
from collections.abc import Callable
from typing import Final

TOLERANCE_SECONDS: Final = 2.0
"""Differences up to here are a slow look, not a step; a time server moves small ones gradually,
and both clocks with it."""


class ClockWatch:
    """Remembers how far the wall clock was ahead of the steady one.

    Args:
        wall: The time of day in seconds.
        steady: Seconds that only ever pass.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = wall() - steady()

    def step_seconds(self) -> float:
        """Return by how much the clock was set since the start, or what was last followed; or 0."""
        step = self._wall() - self._steady() - self._ahead
        return step if abs(step) > TOLERANCE_SECONDS else 0.0

    def follow(self, step_seconds: float) -> None:
        """A step was dealt with; it is not told again."""
        self._ahead += step_seconds
