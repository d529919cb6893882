"""Which pixel bytes may go: judged, told to everyone who is to be told, and old enough.

The row, the verdict and the small pictures stay.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sonogate.domain.instance import ReceivedInstance
from sonogate.store.transaction import Transaction

LIMIT = 500
"""Objects let go in one round; the rest follows in the next."""


def expired(tx: Transaction, now: datetime, retention_days: float) -> list[ReceivedInstance]:
    """Return objects judged, and their events delivered, more than `retention_days` ago.

    Never what is undelivered, however old.
    """
    return tx.spooled_bytes.expired(now - timedelta(days=retention_days), LIMIT)


def mark_pixels_gone(tx: Transaction, object_ids: Iterable[str], now: datetime) -> None:
    """Note that these bytes are gone; after they were removed, so that none is forgotten."""
    tx.spooled_bytes.mark_pixels_gone(object_ids, now)
