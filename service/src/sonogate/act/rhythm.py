"""How the loops of this room keep time: woken early, looking unasked, not ended by an error."""

import asyncio
from collections.abc import Awaitable, Callable

from sonogate.observe.logs import get_logger

log = get_logger()


async def woken(wake: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return


async def every(seconds: float, work: Callable[[], Awaitable[None]], complaint: str) -> None:
    """Work, rest, work again until cancelled; an error is logged, and the next round may succeed.

    Args:
        seconds: of rest between two rounds.
        work: one round.
        complaint: the log's words if it failed.
    """
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - boundary: a busy database must not end the loop
            log.error(complaint, exception_type=type(error).__name__)
        await asyncio.sleep(seconds)
