"""The journal that readers follow, and the deliveries that are owed because of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from sonogate.domain.identity import new_object_id
from sonogate.store.records import Body, DeliveryTargets, Event, EventKind
from sonogate.store.tables import deliveries, events


class Events:
    """The table `events`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.last_appended: int | None = None  #: newest id of this transaction

    def append(
        self,
        kind: EventKind,
        at: datetime,
        body: Body,
        targets: DeliveryTargets,
        *,
        study_uid: str | None = None,
        object_id: str | None = None,
    ) -> int:
        """Add one event and a delivery for each receiver that wants its kind; return its id."""
        result = self._connection.execute(
            insert(events),
            {
                "at": at,
                "kind": kind.value,
                "study_instance_uid": study_uid,
                "object_id": object_id,
                "body": dict(body),
            },
        )
        (event_id,) = result.inserted_primary_key or (0,)
        self.last_appended = event_id
        lane = study_uid or object_id or ""
        for target in targets.targets:
            if kind.value in target.kinds:
                self._owe(event_id, target.url, lane, at)
        return event_id

    def _owe(self, event_id: int, target_url: str, lane: str, at: datetime) -> None:
        self._connection.execute(
            insert(deliveries),
            {
                "event_id": event_id,
                "target_url": target_url,
                "lane": lane,
                "idempotency_key": new_object_id(),
                "attempts": 0,
                "created_at": at,
                "next_attempt_at": at,
            },
        )

    def after(self, event_id: int, limit: int) -> list[Event]:
        """Return events newer than `event_id`, oldest first."""
        rows = self._connection.execute(
            select(events).where(events.c.id > event_id).order_by(events.c.id).limit(limit)
        )
        return [to_event(row) for row in rows]

    def last_id(self) -> int:
        """Return the newest id; 0 before the first event."""
        return self._connection.execute(select(func.max(events.c.id))).scalar() or 0


def to_event(row: Any) -> Event:
    """Build an event from a row with the columns of `events`."""
    return Event(
        id=row.id,
        at=row.at,
        kind=row.kind,
        study_uid=row.study_instance_uid,
        object_id=row.object_id,
        body=row.body,
    )
