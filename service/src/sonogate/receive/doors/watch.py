"""Finds out that a door hangs: its process is there and its link whole, but it answers nothing."""

import asyncio
from typing import Final, Protocol

N_ASKS: Final = 5
"""How often a door is asked before its silence counts."""


class Asked(Protocol):
    """What can be asked whether it lives."""

    n_pongs: int  #: how often it said that it does
    is_busy: bool  #: what it says is not being read just now

    def ping(self) -> None:
        """Ask it."""
        ...


async def until_silent(asked: Asked, silent_seconds: float) -> None:
    """Return once something answers nothing for so long.

    Questions are counted, not the clock: a gate that stood still itself (a machine that slept)
    blames nobody. Nor does one that does not come to reading what was answered.
    """
    n_missed = 0
    while n_missed < N_ASKS:
        n_pongs = asked.n_pongs
        asked.ping()
        await asyncio.sleep(silent_seconds / N_ASKS)
        if asked.n_pongs > n_pongs:
            n_missed = 0
        elif not asked.is_busy:
            n_missed += 1
