"""Which pixel bytes and events may go: told to everyone who is to be told, and old enough.

An object's row, its verdict and its small pictures stay.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sonogate.domain.instance import ReceivedInstance
from sonogate.store.transaction import Transaction

LIMIT = 500
"""Objects let go in one round; the rest follows in the next."""
MAX_EVENTS = 1_000_000
"""Events above which older ones go before their days are over."""
YOUNG_DAYS = 1.0
"""An event younger than this stays, however many there are: a page left open overnight resumes."""
EVENTS_AT_ONCE = 200
"""Events removed in one commit, so that no verdict waits for it."""


def expired(tx: Transaction, now: datetime, retention_days: float) -> list[ReceivedInstance]:
    """Return objects judged, and their events delivered, more than `retention_days` ago.

    Never what is undelivered, however old.
    """
    return tx.spooled_bytes.expired(now - timedelta(days=retention_days), LIMIT)


def mark_pixels_gone(tx: Transaction, object_ids: Iterable[str], now: datetime) -> None:
    """Note that these bytes are gone; after they were removed, so that none is forgotten."""
    tx.spooled_bytes.mark_pixels_gone(object_ids, now)


def first_event_to_keep(tx: Transaction, now: datetime, event_days: float) -> int:
    """Return the id below which events are too old or too many, and none is young."""
    by_age = tx.events.first_id_since(now - timedelta(days=event_days))
    by_count = tx.events.first_id_of_newest(MAX_EVENTS)
    young = tx.events.first_id_since(now - timedelta(days=YOUNG_DAYS))
    return min(max(by_age, by_count), young)


def prune_events(tx: Transaction, below_id: int, now: datetime, retention_days: float) -> int:
    """Remove a few events below an id, and return how many.

    Never one that is owed to a receiver, nor one whose delivery still decides when bytes go.
    """
    return tx.events.prune(below_id, now - timedelta(days=retention_days), EVENTS_AT_ONCE)
