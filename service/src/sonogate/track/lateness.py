"""Whether a cart sends during the exam or at its end, and whether its clock is right."""

from datetime import datetime
from statistics import median

from sonogate.domain.instance import Header, ReceivedInstance, Transport
from sonogate.settings import TrackSettings
from sonogate.store.records import SenderReport, SenderRow
from sonogate.store.transaction import Transaction

KEEP = 200
"""Delays remembered per sender: a few exams."""
LEAST = 5
"""Delays below which a median says nothing."""
RECENT = 20
"""Newest delays looked at for a clock ahead of ours: once set right, it is soon forgiven."""
AHEAD_SECONDS = 60.0
"""Acquired so far in our future, an image shows a wrong clock."""
ARCHIVE_SECONDS = 24 * 3600.0
"""Older images come from an archive, and say nothing of how a cart sends."""

SENDS_LATE = "sender_sends_late"
CLOCK_SKEWED = "sender_clock_skewed"


def note(tx: Transaction, received: ReceivedInstance, header: Header) -> None:
    """Remember how long one object took from acquisition to us; what came by REST has no cart."""
    provenance = received.provenance
    if provenance.transport is Transport.REST:
        return
    delay = delay_seconds(provenance.received_at, header.acquired_at)
    tx.senders.note(provenance.calling_ae, provenance.received_at, delay, KEEP)


def delay_seconds(received_at: datetime, acquired_at: datetime | None) -> float | None:
    """Return received minus acquired; None if unknown or from an archive."""
    if acquired_at is None:
        return None
    delay = (received_at - acquired_at).total_seconds()
    return delay if abs(delay) <= ARCHIVE_SECONDS else None


def report(sender: SenderRow, settings: TrackSettings) -> SenderReport:
    """Judge one sender; a wrong clock is said first, since it makes the delay meaningless."""
    delays = sender.delays_seconds
    is_skewed = any(delay < -AHEAD_SECONDS for delay in delays[-RECENT:])
    typical = median(delays) if len(delays) >= LEAST else None
    advice = None
    if is_skewed:
        advice = CLOCK_SKEWED
    elif typical is not None and typical > settings.late_sender_seconds:
        advice = SENDS_LATE
    return SenderReport(
        calling_ae=sender.calling_ae,
        n_objects=sender.n_objects,
        last_received_at=sender.last_received_at,
        sends_late_seconds=typical,
        clock_skewed=is_skewed,
        advice=advice,
    )
