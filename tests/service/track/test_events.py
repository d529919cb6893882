"""The feed: ordered, durable, and it wakes who waits."""

import asyncio
import time
from typing import Any

from sonogate.domain.verdict import Band
from sonogate.track.events import EventFeed

Clinic = Any  # the fixture of conftest.py


async def test_a_feed_resumes_after_any_id(clinic: Clinic) -> None:
    """Ids grow; reading in pieces gives every event once."""
    for _ in range(3):
        await clinic.send(Band.HIGH)
    feed = EventFeed(clinic.database)
    everything = await feed.after(0)
    piece = await feed.after(everything[1].id, limit=2)

    assert [event.id for event in everything] == sorted({event.id for event in everything})
    assert everything[2:4] == piece
    assert everything[-1].id == await feed.last_id()


async def test_a_commit_wakes_who_waits(clinic: Clinic) -> None:
    """Nobody has to poll: a recorded verdict ends the wait at once."""
    feed = EventFeed(clinic.database)
    started = time.monotonic()
    waiting = asyncio.create_task(feed.wait(await feed.last_id(), 30))
    await asyncio.sleep(0)
    await clinic.send(Band.HIGH)
    await waiting

    assert time.monotonic() - started < 5
    assert 2 == len(await feed.after(0))


async def test_what_was_told_between_reading_and_waiting_is_not_missed(clinic: Clinic) -> None:
    """An event committed just before the wait ends it at once."""
    feed = EventFeed(clinic.database)
    position = await feed.last_id()
    await clinic.send(Band.HIGH)
    started = time.monotonic()
    await feed.wait(position, 30)

    assert time.monotonic() - started < 5


async def test_a_wait_ends_after_its_time(clinic: Clinic) -> None:
    """Silence is no error."""
    await EventFeed(clinic.database).wait(0, 0.05)
