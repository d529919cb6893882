"""Does a cart send per image or at the end of the exam, and is its clock right?"""

from datetime import timedelta
from typing import Any

import pytest

from sonogate.domain.instance import Transport
from sonogate.domain.verdict import Band
from sonogate.settings import TrackSettings
from sonogate.track.lateness import CLOCK_SKEWED, SENDS_LATE

Clinic = Any  # the fixture of conftest.py
STUDY = "1.2.826.1"


async def send_delayed(clinic: Clinic, seconds: float, n: int = 5, **more: Any) -> None:
    """Send images that were acquired so long before."""
    for _ in range(n):
        received = await clinic.receive(**more)
        acquired_at = received.provenance.received_at - timedelta(seconds=seconds)
        await clinic.judge(received, Band.HIGH, acquired_at=acquired_at)


@pytest.mark.parametrize(
    ("delay", "advice", "is_skewed"),
    [
        (5, None, False),
        (119, None, False),
        (600, SENDS_LATE, False),
        (-30, None, False),
        (-90, CLOCK_SKEWED, True),
    ],
)
async def test_a_sender_is_judged_by_its_delay(
    clinic: Clinic, delay: float, advice: str | None, *, is_skewed: bool
) -> None:
    """Median over the late limit: send per image. Over a minute in our future: set the clock."""
    await send_delayed(clinic, delay)
    (sender,) = await clinic.studies.senders()
    study = await clinic.studies.get(STUDY)

    assert (delay, advice, is_skewed) == (
        sender.sends_late_seconds,
        sender.advice,
        sender.clock_skewed,
    )
    assert (delay, advice) == (study.sends_late_seconds, study.sender_advice)


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
    """Old studies pushed again, and images posted by HTTP, tell nothing of a cart's habit."""
    await send_delayed(clinic, 400 * 24 * 3600)
    await send_delayed(clinic, 600, ae="REST", transport=Transport.REST)
    reports = await clinic.studies.senders()

    assert [("CART1", None, None)] == [
        (r.calling_ae, r.sends_late_seconds, r.advice) for r in reports
    ]
