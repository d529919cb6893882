"""Whether a cart sends during the exam or at its end, and whether its clock is right.

A cart that sends late and a cart whose clock is behind show the same delay. Their pace tells them
apart: images that arrive as far apart as they were taken were sent one by one, so a constant delay
is the clock's; images taken minutes apart that arrive at once waited on the cart.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

from sonogate.domain.instance import Header, ReceivedInstance, Transport
from sonogate.settings import TrackSettings
from sonogate.store.records import SenderReport, SenderRow, Timing
from sonogate.store.transaction import Transaction

KEEP = 200
"""Delays remembered per sender: a few exams."""
LEAST = 5
"""Delays below which a median says nothing."""
RECENT = 20
"""Newest delays looked at for a wrong clock: once set right, it is soon forgiven."""
AHEAD_SECONDS = 60.0
"""Acquired so far in our future, an image shows a wrong clock."""
DAY_SECONDS = 24 * 3600.0
"""No cart keeps images that long before it sends them; an archive does, of many days."""

TELLING_SECONDS = (15.0, 3600.0)
"""Time between two acquisitions of one exam from which sending one by one differs from a burst."""
JITTER_SECONDS, JITTER_SHARE = 5.0, 0.2
"""What transfer may add to the time between two receipts: constant, and share of that time."""
PACED_FROM, BURST_TO = 0.8, 0.5
"""Shares of such pairs that kept their time: from the one the cart sends one by one, to the other
it sends at once; between them it can't be told."""

SENDS_LATE = "sender_sends_late"
LATE_OR_BEHIND = "sender_late_or_behind"
CLOCK_SKEWED = "sender_clock_skewed"
CLOCK_BEHIND = "sender_clock_behind"
CLOCK_FAR_BEHIND = "sender_clock_far_behind"


def note(tx: Transaction, received: ReceivedInstance, header: Header) -> None:
    """Remember how long one object took from acquisition to us; what came by REST has no cart."""
    provenance = received.provenance
    if provenance.transport is Transport.REST:
        return
    timing = timing_of(provenance.received_at, header.acquired_at)
    tx.senders.note(provenance.calling_ae, provenance.received_at, timing, KEEP)


def timing_of(received_at: datetime, acquired_at: datetime | None) -> Timing | None:
    """Return received minus acquired, and when; None if unknown."""
    if acquired_at is None:
        return None
    delay = (received_at - acquired_at).total_seconds()
    return Timing(received_posix_seconds=received_at.timestamp(), delay_seconds=delay)


def report(sender: SenderRow, settings: TrackSettings) -> SenderReport:
    """Judge one sender; a wrong clock is said first, since it makes the delay meaningless."""
    recent = sorted(sender.timings[-RECENT:], key=lambda each: each.received_posix_seconds)
    wrong_clock = _wrong_clock(recent, settings.late_sender_seconds)
    typical = None if wrong_clock else _typical(sender.timings)
    advice = wrong_clock
    if typical is not None and typical > settings.late_sender_seconds:
        advice = SENDS_LATE if _is_within(_paced_share(recent), 0.0, BURST_TO) else LATE_OR_BEHIND
    return SenderReport(
        calling_ae=sender.calling_ae,
        n_objects=sender.n_objects,
        last_received_at=sender.last_received_at,
        sends_late_seconds=typical,
        clock_skewed=wrong_clock is not None,
        advice=advice,
    )


def _wrong_clock(recent: Sequence[Timing], late_seconds: float) -> str | None:
    """Return what to say of a sender's clock; None if nothing speaks against it."""
    delays = [each.delay_seconds for each in recent]
    if any(delay < -AHEAD_SECONDS for delay in delays):
        return CLOCK_SKEWED
    if len(delays) < LEAST:
        return None
    middle = median(delays)
    if middle > late_seconds and _is_within(_paced_share(recent), PACED_FROM, 1.0):
        return CLOCK_BEHIND
    far = [delay for delay in delays if delay > DAY_SECONDS]
    is_of_one_day = bool(far) and max(far) - min(far) <= DAY_SECONDS
    return CLOCK_FAR_BEHIND if middle > DAY_SECONDS and is_of_one_day else None


def _typical(timings: Sequence[Timing]) -> float | None:
    """Return the usual delay, an archive's left out; a habit that was mended is soon forgiven."""
    delays = [each.delay_seconds for each in timings if abs(each.delay_seconds) <= DAY_SECONDS]
    return min(median(delays), median(delays[-RECENT:])) if len(delays) >= LEAST else None


def _paced_share(recent: Sequence[Timing]) -> float | None:
    """Return how many neighbours arrived as far apart as they were taken; None if too few tell."""
    kept = []
    for first, second in pairwise(recent):
        received = second.received_posix_seconds - first.received_posix_seconds
        acquired = received - (second.delay_seconds - first.delay_seconds)
        if _is_within(abs(acquired), *TELLING_SECONDS):
            kept.append(abs(acquired - received) <= JITTER_SECONDS + JITTER_SHARE * received)
    return sum(kept) / len(kept) if len(kept) >= LEAST - 1 else None


def _is_within(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high
