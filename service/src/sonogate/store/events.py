"""The journal that readers follow, and the deliveries that are owed because of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from sonogate.domain.identity import new_object_id
from sonogate.store.records import Body, DeliveryTargets, Event, EventKind
from sonogate.store.tables import deliveries, events, pruned_events


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

    def first_id_since(self, at: datetime) -> int:
        """Return the id of the first event not before a time; the newest id if all are before."""
        first = self._connection.execute(
            select(events.c.id).where(events.c.at >= at).order_by(events.c.id).limit(1)
        ).scalar()
        return self.last_id() if first is None else first

    def first_id_of_newest(self, n_events: int) -> int:
        """Return the id from which on there are `n_events`; 0 if there are not more."""
        below = self._connection.execute(
            select(events.c.id).order_by(events.c.id.desc()).offset(n_events).limit(1)
        ).scalar()
        return 0 if below is None else below + 1

    def prune(self, below_id: int, told_before: datetime, limit: int) -> int:
        """Remove the oldest events below an id, with their deliveries; return how many.

        Args:
            below_id: the first event that stays.
            told_before: an event stays that is owed to a receiver, or was taken after this time.
            limit: most events to remove.
        """
        needed = (
            select(deliveries.c.id)
            .where(
                deliveries.c.event_id == events.c.id,
                or_(deliveries.c.delivered_at.is_(None), deliveries.c.delivered_at > told_before),
            )
            .exists()
        )
        run = self._connection.execute
        ids = (
            run(
                select(events.c.id)
                .where(events.c.id < below_id, ~needed)
                .order_by(events.c.id)
                .limit(limit)
            )
            .scalars()
            .all()
        )
        if ids:
            run(delete(deliveries).where(deliveries.c.event_id.in_(ids)))
            run(delete(events).where(events.c.id.in_(ids)))
            up_to_id = max(ids[-1], self.pruned_to())
            run(delete(pruned_events))
            run(insert(pruned_events), {"up_to_id": up_to_id})
        return len(ids)

    def pruned_to(self) -> int:
        """Return the newest id that was pruned; whoever saw less has missed events. 0: none was."""
        return self._connection.execute(select(pruned_events.c.up_to_id)).scalar() or 0


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
