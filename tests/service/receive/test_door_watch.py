"""When a door counts as silent."""

import asyncio
from dataclasses import dataclass, field

import pytest

from sonogate.receive.doors.watch import N_ASKS, until_silent

SILENT_SECONDS = 0.2


@dataclass
class Asked:
    """Answers as a plan says: at each question yes, or no."""

    plan: list[bool]
    is_busy: bool = False
    n_pongs: int = 0
    n_asked: int = field(default=0)

    def ping(self) -> None:
        """Answer by the plan, its last word for ever."""
        self.n_pongs += self.plan[min(self.n_asked, len(self.plan) - 1)]
        self.n_asked += 1


@pytest.mark.parametrize(
    ("plan", "n_asked"),
    [
        ([False], N_ASKS),
        ([True, False], N_ASKS + 1),
        ([False, False, False, False, True, False], 2 * N_ASKS),
    ],
)
async def test_silence_is_so_many_unanswered_questions(plan: list[bool], n_asked: int) -> None:
    """In a row: one answer in between, and it begins anew."""
    door = Asked(plan)
    async with asyncio.timeout(5):
        await until_silent(door, SILENT_SECONDS)

    assert n_asked == door.n_asked


@pytest.mark.parametrize("door", [Asked([True]), Asked([False], is_busy=True)])
async def test_who_answers_or_is_not_heard_is_never_silent(door: Asked) -> None:
    """However long one asks."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5 * SILENT_SECONDS):
            await until_silent(door, SILENT_SECONDS)

    assert door.n_asked > 2 * N_ASKS


async def test_a_gate_that_stood_still_blames_nobody() -> None:
    """Longer than a silence may last; the answers lay there meanwhile, and are read after."""
    door = Asked([True])
    watching = asyncio.create_task(until_silent(door, SILENT_SECONDS))
    await asyncio.sleep(SILENT_SECONDS / 2)
    stood_still_until = asyncio.get_running_loop().time() + 5 * SILENT_SECONDS
    while asyncio.get_running_loop().time() < stood_still_until:
        pass
    await asyncio.sleep(SILENT_SECONDS)

    assert not watching.done()
    watching.cancel()
