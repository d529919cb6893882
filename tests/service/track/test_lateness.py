"""Does a cart send per image or at the end of the exam, and is its clock right?"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import accumulate
from typing import Any

import pytest

from sonogate.domain.instance import Transport
from sonogate.domain.verdict import Band
from sonogate.settings import TrackSettings
from sonogate.track.lateness import (
    CLOCK_BEHIND,
    CLOCK_FAR_BEHIND,
    CLOCK_SKEWED,
    LATE_OR_BEHIND,
    SENDS_LATE,
)

Clinic = Any  # the fixture of conftest.py
STUDY = "1.2.826.1"
HOUR, DAY = 3600.0, 24 * 3600.0
PAUSES = (20, 45, 33, 90, 17, 60, 28, 41)
"""Seconds between the images of an exam."""


async def send_delayed(clinic: Clinic, seconds: float, n: int = 5, **more: Any) -> None:
    """Send images that were acquired so long before, a second apart."""
    for _ in range(n):
        received = await clinic.receive(**more)
        acquired_at = received.provenance.received_at - timedelta(seconds=seconds)
        await clinic.judge(received, Band.HIGH, acquired_at=acquired_at)


async def send_exam(clinic: Clinic, offset: float, jitter: Iterable[float] = (0,)) -> None:
    """Send images one by one as they are taken, by a clock that is `offset` seconds behind."""
    shakes = list(jitter)
    for n, pause in enumerate(PAUSES):
        clinic.now += timedelta(seconds=pause)
        await send_delayed(clinic, offset + shakes[n % len(shakes)], n=1)


async def send_at_the_end(clinic: Clinic, wait: float = 0) -> None:
    """Take images as in an exam, then send them all, a second apart."""
    taken = [clinic.now + timedelta(seconds=s) for s in accumulate(PAUSES)]
    clinic.now = taken[-1] + timedelta(seconds=wait)
    for acquired_at in taken:
        received = await clinic.receive()
        await clinic.judge(received, Band.HIGH, acquired_at=acquired_at)


async def said_of(clinic: Clinic) -> tuple[str | None, bool]:
    """Return the advice and whether the clock is called wrong."""
    (sender,) = await clinic.studies.senders()
    assert sender.advice == (await clinic.studies.get(STUDY)).sender_advice
    assert not (sender.clock_skewed and sender.sends_late_seconds is not None)
    return sender.advice, sender.clock_skewed


@pytest.mark.parametrize(
    ("delay", "advice", "is_skewed"),
    [
        (5, None, False),
        (119, None, False),
        (600, LATE_OR_BEHIND, False),
        (-30, None, False),
        (-90, CLOCK_SKEWED, True),
        (-2 * DAY, CLOCK_SKEWED, True),
        (-365 * DAY, CLOCK_SKEWED, True),
        (2 * 365 * DAY, CLOCK_FAR_BEHIND, True),
    ],
)
async def test_a_sender_is_judged_by_its_delay(
    clinic: Clinic, delay: float, advice: str | None, *, is_skewed: bool
) -> None:
    """Images taken at once tell no pace; what lies far off is the clock's, however far."""
    await send_delayed(clinic, delay)
    (sender,) = await clinic.studies.senders()

    assert (advice, is_skewed) == await said_of(clinic)
    assert (None if is_skewed else delay) == sender.sends_late_seconds


@pytest.mark.parametrize("offset", [HOUR, 300, 2 * 365 * DAY])
async def test_a_constant_delay_of_images_sent_one_by_one_is_the_clock(
    clinic: Clinic, offset: float
) -> None:
    """They arrive as far apart as they were taken, give or take the transfer."""
    await send_exam(clinic, offset, jitter=(0, 3, 1, 6))

    assert (CLOCK_BEHIND, True) == await said_of(clinic)


@pytest.mark.parametrize("wait", [0, 1800])
async def test_images_that_arrive_at_once_were_sent_at_the_end(clinic: Clinic, wait: float) -> None:
    """Even if all of them waited long after the exam, so that their delays are much alike."""
    clinic.settings = TrackSettings(late_sender_seconds=60)
    await send_at_the_end(clinic, wait)
    await send_at_the_end(clinic, wait)

    assert (SENDS_LATE, False) == await said_of(clinic)


async def test_images_sent_one_by_one_with_a_right_clock_say_nothing(clinic: Clinic) -> None:
    """This is how it should be."""
    await send_exam(clinic, 2, jitter=(0, 4, 1))

    assert (None, False) == await said_of(clinic)


async def test_a_clock_that_was_set_right_is_forgiven(clinic: Clinic) -> None:
    """The newest twenty images decide, not the two hundred remembered."""
    for _ in range(4):
        await send_exam(clinic, HOUR)
    for _ in range(3):
        await send_exam(clinic, 2)

    assert (None, False) == await said_of(clinic)


async def test_the_limit_is_a_setting(clinic: Clinic) -> None:
    """What is late in one room may be usual in another."""
    clinic.settings = TrackSettings(late_sender_seconds=1000)
    await send_delayed(clinic, 600)

    assert (await clinic.studies.senders())[0].advice is None


async def test_few_images_say_nothing(clinic: Clinic) -> None:
    """Four late images may be chance."""
    await send_delayed(clinic, 600, n=4)

    assert (await clinic.studies.senders())[0].sends_late_seconds is None


async def test_only_the_last_images_count(clinic: Clinic) -> None:
    """Once the cart was switched to send per image, the advice goes."""
    await send_delayed(clinic, 600, n=6)
    await send_delayed(clinic, 2, n=7)

    assert (await clinic.studies.senders())[0].advice is None


async def test_an_archive_and_the_rest_door_say_nothing(clinic: Clinic) -> None:
    """Old studies of many days, and images posted by HTTP, tell nothing of a cart's habit."""
    for days in (400, 402, 399, 398, 401):
        await send_delayed(clinic, days * DAY, n=2)
    await send_delayed(clinic, 600, ae="REST", transport=Transport.REST)
    reports = await clinic.studies.senders()

    assert [("CART1", None, None, False)] == [
        (r.calling_ae, r.sends_late_seconds, r.advice, r.clock_skewed) for r in reports
    ]
