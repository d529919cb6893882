"""How each sender sends: its last delays between acquiring and our receiving."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sonogate.store.records import SenderRow, Timing
from sonogate.store.tables import senders


class Senders:
    """The table `senders`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, calling_ae: str) -> SenderRow | None:
        """Return one sender, or None."""
        row = self._connection.execute(
            select(senders).where(senders.c.calling_ae == calling_ae)
        ).first()
        return _to_sender(row) if row is not None else None

    def all(self) -> list[SenderRow]:
        """Return every sender, by name."""
        rows = self._connection.execute(select(senders).order_by(senders.c.calling_ae))
        return [_to_sender(row) for row in rows]

    def note(
        self, calling_ae: str, received_at: datetime, timing: Timing | None, keep: int
    ) -> None:
        """Count one object and remember its timing, if it is known, among the last `keep`."""
        known = self.get(calling_ae)
        timings = known.timings if known else ()
        if timing is not None:
            timings = (*timings, timing)[-keep:]
        values = {
            "n_objects": (known.n_objects if known else 0) + 1,
            "last_received_at": max(received_at, known.last_received_at) if known else received_at,
            "timings": [[each.received_posix_seconds, each.delay_seconds] for each in timings],
        }
        if known is None:
            self._connection.execute(insert(senders), {"calling_ae": calling_ae, **values})
        else:
            self._connection.execute(
                update(senders).where(senders.c.calling_ae == calling_ae).values(values)
            )


def _to_sender(row: Any) -> SenderRow:
    return SenderRow(
        calling_ae=row.calling_ae,
        n_objects=row.n_objects,
        last_received_at=row.last_received_at,
        timings=tuple(
            Timing(received_posix_seconds=received, delay_seconds=delay)
            for received, delay in row.timings
        ),
    )
