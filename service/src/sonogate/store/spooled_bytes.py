"""Whose bytes the spool must keep: what is live, what may go, what is gone."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from sonogate.domain.instance import ReceivedInstance
from sonogate.store.forward_records import UNFINISHED
from sonogate.store.object_rows import to_received
from sonogate.store.records import ObjectState
from sonogate.store.tables import deliveries, events, forwards, objects, verdicts

_UNFINISHED_STATES = tuple(state.value for state in UNFINISHED)


class SpooledBytes:
    """The table `objects`, as the spool's house-keeping sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def spool_names(self) -> set[str]:
        """Return the spool names of every object whose pixels are still kept."""
        statement = select(objects.c.spool_name).where(objects.c.pixels_gone_at.is_(None))
        return set(self._connection.execute(statement).scalars())

    def is_gone(self, object_id: str) -> bool:
        """Whether an object's pixels are no longer kept here."""
        statement = select(objects.c.pixels_gone_at).where(objects.c.object_id == object_id)
        return self._connection.execute(statement).scalar() is not None

    def total(self) -> int:
        """Return the size of all objects whose pixels are still kept."""
        statement = select(func.coalesce(func.sum(objects.c.size_bytes), 0)).where(
            objects.c.pixels_gone_at.is_(None)
        )
        return int(self._connection.execute(statement).scalar_one())

    def expired(self, cutoff: datetime, limit: int) -> list[ReceivedInstance]:
        """Return objects judged, all of whose events were delivered, before `cutoff`.

        None that was not passed on to every destination before it, however old.
        """
        owed = (
            select(deliveries.c.id)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(
                events.c.object_id == objects.c.object_id,
                or_(deliveries.c.delivered_at.is_(None), deliveries.c.delivered_at > cutoff),
            )
        )
        rows = self._connection.execute(
            select(objects)
            .join(verdicts, verdicts.c.object_id == objects.c.object_id)
            .where(
                verdicts.c.verdict_at <= cutoff,
                objects.c.state == ObjectState.JUDGED.value,
                objects.c.pixels_gone_at.is_(None),
                ~owed.exists(),
                ~_is_wanted(cutoff),
            )
            .order_by(verdicts.c.verdict_at)
            .limit(limit)
        )
        return [to_received(row) for row in rows]

    def mark_pixels_gone(self, object_ids: Iterable[str], now: datetime) -> None:
        """Note that the bytes left the spool; rows and verdicts stay."""
        self._connection.execute(
            update(objects)
            .where(objects.c.object_id.in_(list(object_ids)))
            .values(pixels_gone_at=now)
        )


def _is_wanted(since: datetime) -> ColumnElement[bool]:
    """Whether a destination may still ask for the object of the outer statement, or took it since.

    A refused one may be asked for again by a person, so its bytes stay too.
    """
    unfinished, late = forwards.c.state.in_(_UNFINISHED_STATES), forwards.c.settled_at > since
    return (
        select(forwards.c.id)
        .where(forwards.c.object_id == objects.c.object_id, or_(unfinished, late))
        .exists()
    )
