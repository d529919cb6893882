"""Pixels go when they are judged, delivered and old; never before."""

from datetime import datetime, timedelta
from typing import Any

from sonogate.domain.verdict import Band
from sonogate.track.retention import expired, mark_pixels_gone

Clinic = Any  # the fixture of conftest.py
DAYS = 7.0


async def going(clinic: Clinic, now: datetime) -> list[str]:
    """Return the spool names that may go."""
    found = await clinic.database.read(lambda tx: expired(tx, now, DAYS))
    return [each.spool_name for each in found]


async def deliver_all(clinic: Clinic, at: datetime) -> None:
    """Mark every delivery as taken."""
    while due := await clinic.database.read(
        lambda tx: tx.deliveries.due(at + timedelta(days=999), 100)
    ):
        for each in due:
            await clinic.database.write(lambda tx, key=each.id: tx.deliveries.delivered(key, at))


async def test_pixels_go_only_after_delivery_and_time(clinic: Clinic) -> None:
    """Undelivered: never. Delivered: the days count from the delivery."""
    received = await clinic.receive()
    await clinic.judge(received, Band.HIGH)
    start = clinic.now
    assert [] == await going(clinic, start + timedelta(days=1000))

    delivered_at = start + timedelta(days=3)
    await deliver_all(clinic, delivered_at)
    assert [] == await going(clinic, delivered_at + timedelta(days=6.9))
    assert [received.spool_name] == await going(clinic, delivered_at + timedelta(days=7.1))


async def test_an_unjudged_object_is_never_let_go(clinic: Clinic) -> None:
    """However old: it has no verdict yet."""
    await clinic.receive()

    assert [] == await going(clinic, clinic.now + timedelta(days=1000))


async def test_the_verdict_stays_when_the_pixels_went(clinic: Clinic) -> None:
    """The row, verdict and thumbnail stay; the file's name is no longer known to the spool."""
    received = await clinic.receive()
    await clinic.judge(received, Band.LOW)
    await deliver_all(clinic, clinic.now)
    later = clinic.now + timedelta(days=8)
    names = await going(clinic, later)
    await clinic.database.write(lambda tx: mark_pixels_gone(tx, [received.object_id], later))

    assert [received.spool_name] == names
    assert [] == await going(clinic, later)
    assert set() == await clinic.database.read(lambda tx: tx.spooled_bytes.spool_names())
    assert Band.LOW is (await clinic.studies.instance(received.sop_instance_uid)).band
    assert b"png" == await clinic.studies.picture(received.sop_instance_uid, "thumbnail")
