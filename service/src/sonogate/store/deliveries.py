"""The outbox: what is owed to receivers outside, until they took it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from sonogate.store.events import to_event
from sonogate.store.records import Delivery
from sonogate.store.tables import deliveries, events


class Deliveries:
    """The table `deliveries`; rows are written by `Events.append`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def due(self, now: datetime, limit: int) -> list[Delivery]:
        """Return deliveries whose next attempt is due, oldest event first."""
        return self._where(
            deliveries.c.delivered_at.is_(None), deliveries.c.next_attempt_at <= now, limit=limit
        )

    def next_per_lane(self, target_url: str, now: datetime, limit: int) -> list[Delivery]:
        """Return what one receiver may get now: of each lane only the oldest owed, if it is due.

        A later event of a study waits for the earlier one, so that receivers see studies in order.
        """
        earlier = deliveries.alias()
        waits_for_another = exists().where(
            earlier.c.delivered_at.is_(None),
            earlier.c.target_url == deliveries.c.target_url,
            earlier.c.lane == deliveries.c.lane,
            earlier.c.id < deliveries.c.id,
        )
        return self._where(
            deliveries.c.delivered_at.is_(None),
            deliveries.c.target_url == target_url,
            deliveries.c.next_attempt_at <= now,
            ~waits_for_another,
            limit=limit,
        )

    def _where(self, *conditions: ColumnElement[bool], limit: int) -> list[Delivery]:
        rows = self._connection.execute(
            select(
                events,
                deliveries.c.id.label("delivery_id"),
                deliveries.c.target_url,
                deliveries.c.idempotency_key,
                deliveries.c.attempts,
                deliveries.c.created_at,
            )
            .join(events, events.c.id == deliveries.c.event_id)
            .where(*conditions)
            .order_by(deliveries.c.event_id, deliveries.c.id)
            .limit(limit)
        )
        return [
            Delivery(
                id=row.delivery_id,
                event=to_event(row),
                target_url=row.target_url,
                idempotency_key=row.idempotency_key,
                attempts=row.attempts,
                created_at=row.created_at,
            )
            for row in rows
        ]

    def delivered(self, delivery_id: int, now: datetime) -> None:
        """The receiver took it."""
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(delivered_at=now, attempts=deliveries.c.attempts + 1)
        )

    def failed(self, delivery_id: int, now: datetime, next_attempt_at: datetime) -> None:
        """The receiver did not take it; try again at `next_attempt_at`.

        Args:
            delivery_id: which delivery.
            now: when it failed.
            next_attempt_at: when to try again; never before `now`.
        """
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.delivered_at.is_(None))
            .values(next_attempt_at=max(now, next_attempt_at), attempts=deliveries.c.attempts + 1)
        )

    def drop_owed_to_others(self, target_urls: Collection[str], before: datetime) -> int:
        """Drop what was owed before a time to receivers that are none of these; return how many."""
        return self._connection.execute(
            delete(deliveries).where(
                deliveries.c.delivered_at.is_(None),
                deliveries.c.target_url.not_in(target_urls),
                deliveries.c.created_at < before,
            )
        ).rowcount

    def backlog(self) -> tuple[int, datetime | None]:
        """Return how many are owed, and since when the oldest is."""
        row = self._connection.execute(
            select(func.count(), func.min(deliveries.c.created_at)).where(
                deliveries.c.delivered_at.is_(None)
            )
        ).one()
        return row[0], row[1]
