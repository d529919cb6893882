"""How each destination does as a whole: its queue, and whether it is rested from."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from sonogate.store.forward_records import BreakerRow, ForwardState, QueueOf
from sonogate.store.tables import breakers, forwards, objects

_UNFINISHED = (ForwardState.HELD.value, ForwardState.OWED.value, ForwardState.REFUSED.value)


class ForwardQueues:
    """The table `forwards`, counted; and the table `breakers`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, destination: str) -> QueueOf:
        """Count what one destination has not got yet."""
        mine = (forwards.c.destination == destination, forwards.c.state.in_(_UNFINISHED))
        rows = self._connection.execute(
            select(forwards.c.state, func.count(), func.min(forwards.c.created_at))
            .where(*mine)
            .group_by(forwards.c.state)
        ).all()
        refusals = self._connection.execute(
            select(func.coalesce(forwards.c.reason, "unknown"), func.count())
            .where(*mine, forwards.c.state == ForwardState.REFUSED.value)
            .group_by(forwards.c.reason)
        )
        oldest = {row[0]: row[2] for row in rows}
        return QueueOf(
            by_state={ForwardState(row[0]): row[1] for row in rows},
            oldest_owed_at=oldest.get(ForwardState.OWED.value),
            oldest_held_at=oldest.get(ForwardState.HELD.value),
            refusals={row[0]: row[1] for row in refusals},
        )

    def of_study(self, study_uid: str) -> dict[str, dict[ForwardState, int]]:
        """Count a study's objects by destination and where they stand there."""
        found: dict[str, dict[ForwardState, int]] = {}
        rows = self._connection.execute(
            select(forwards.c.destination, forwards.c.state, func.count())
            .join(objects, objects.c.object_id == forwards.c.object_id)
            .where(objects.c.study_instance_uid == study_uid)
            .group_by(forwards.c.destination, forwards.c.state)
            .order_by(forwards.c.destination)
        )
        for row in rows:
            found.setdefault(row[0], {})[ForwardState(row[1])] = row[2]
        return found

    def breaker(self, destination: str) -> BreakerRow | None:
        """Return since when a destination is rested from; None if it is well."""
        row = self._connection.execute(
            select(breakers).where(breakers.c.destination == destination)
        ).first()
        return _to_breaker(row) if row is not None else None

    def break_off(self, row: BreakerRow) -> None:
        """Note a failure of a destination as a whole."""
        self.mend(row.destination)
        self._connection.execute(
            insert(breakers),
            {
                "destination": row.destination,
                "n_failed": row.n_failed,
                "rest_until": row.rest_until,
                "since": row.since,
                "reason": row.reason,
            },
        )

    def mend(self, destination: str) -> None:
        """Note that a destination works, or that a person says so."""
        self._connection.execute(delete(breakers).where(breakers.c.destination == destination))


def _to_breaker(row: Any) -> BreakerRow:
    return BreakerRow(
        destination=row.destination,
        n_failed=row.n_failed,
        rest_until=row.rest_until,
        since=row.since,
        reason=row.reason,
    )
