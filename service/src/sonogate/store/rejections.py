"""What people rejected, and what an archive is still to be told of it; rows are never removed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sonogate.store.result_tables import rejection_calls, rejections
from sonogate.store.tables import objects


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionRow:
    """A person's word that an image shall not be used."""

    object_id: str
    reason: str  #: code value in CID 7011
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionCall:
    """A rejection, or its revocation, that an archive is to be told of."""

    id: int
    object_id: str
    action: str  #: reject | revoke
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    attempts: int


class Rejections:
    """The tables `rejections` and `rejection_calls`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: RejectionRow) -> None:
        """Let a rejection hold from now on; an earlier one of the object is revoked by it."""
        self.revoke(row.object_id, row.by, row.at)
        self._connection.execute(
            insert(rejections),
            {"object_id": row.object_id, "reason": row.reason, "by": row.by, "at": row.at},
        )

    def revoke(self, object_id: str, by: str, at: datetime) -> bool:
        """Take a rejection back; return whether there was one."""
        result = self._connection.execute(
            update(rejections)
            .where(rejections.c.object_id == object_id, rejections.c.revoked_at.is_(None))
            .values(revoked_at=at, revoked_by=by)
        )
        return result.rowcount > 0

    def active_of_study(self, study_uid: str) -> dict[str, RejectionRow]:
        """Return the rejections that hold in a study, by object id."""
        rows = self._connection.execute(
            select(rejections)
            .join(objects, objects.c.object_id == rejections.c.object_id)
            .where(objects.c.study_instance_uid == study_uid, rejections.c.revoked_at.is_(None))
            .order_by(rejections.c.id)
        )
        return {
            row.object_id: RejectionRow(
                object_id=row.object_id, reason=row.reason, by=row.by, at=row.at
            )
            for row in rows
        }

    def call(self, object_id: str, uids: tuple[str, str, str], now: datetime) -> None:
        """Owe an archive the news of a rejection, unless it knows.

        Args:
            object_id: which object.
            uids: of its study, its series and itself.
            now: when it was decided.
        """
        last = self._last_call(object_id)
        if last is not None and last.action == "reject":
            return
        if last is not None and _is_unheard(last):
            self._end(last.id, now, "withdrawn")
            return
        self._owe("reject", object_id, uids, now)

    def call_back(self, object_id: str, now: datetime) -> None:
        """Owe an archive the news that a rejection does not hold, if it heard of the rejection."""
        last = self._last_call(object_id)
        if last is None or last.action == "revoke":
            return
        if _is_unheard(last):
            self._end(last.id, now, "withdrawn")
            return
        uids = (last.study_instance_uid, last.series_instance_uid, last.sop_instance_uid)
        self._owe("revoke", object_id, uids, now)

    def _last_call(self, object_id: str) -> Any:
        return self._connection.execute(
            select(rejection_calls)
            .where(
                rejection_calls.c.object_id == object_id,
                rejection_calls.c.outcome.is_distinct_from("withdrawn"),
            )
            .order_by(rejection_calls.c.id.desc())
            .limit(1)
        ).first()

    def _owe(self, action: str, object_id: str, uids: tuple[str, str, str], now: datetime) -> None:
        self._connection.execute(
            insert(rejection_calls),
            {
                "object_id": object_id,
                "action": action,
                "study_instance_uid": uids[0],
                "series_instance_uid": uids[1],
                "sop_instance_uid": uids[2],
                "attempts": 0,
                "created_at": now,
                "next_attempt_at": now,
            },
        )

    def due_calls(self, now: datetime, limit: int) -> list[RejectionCall]:
        """Return calls that are due: of each object only the oldest."""
        earlier = rejection_calls.alias()
        waits = (
            select(earlier.c.id)
            .where(
                earlier.c.object_id == rejection_calls.c.object_id,
                earlier.c.done_at.is_(None),
                earlier.c.id < rejection_calls.c.id,
            )
            .exists()
        )
        rows = self._connection.execute(
            select(rejection_calls)
            .where(
                rejection_calls.c.done_at.is_(None),
                rejection_calls.c.next_attempt_at <= now,
                ~waits,
            )
            .order_by(rejection_calls.c.id)
            .limit(limit)
        )
        names = RejectionCall.__slots__
        return [RejectionCall(**{name: getattr(row, name) for name in names}) for row in rows]

    def attempting(self, call_id: int) -> None:
        """Note that a call is being made: from now on it can't be withdrawn unheard."""
        self._connection.execute(
            update(rejection_calls)
            .where(rejection_calls.c.id == call_id)
            .values(attempts=rejection_calls.c.attempts + 1)
        )

    def called(self, call_id: int, now: datetime) -> None:
        """The archive took it."""
        self._end(call_id, now, "done")

    def _end(self, call_id: int, now: datetime, outcome: str) -> None:
        self._connection.execute(
            update(rejection_calls)
            .where(rejection_calls.c.id == call_id)
            .values(done_at=now, outcome=outcome)
        )

    def call_failed(self, call_id: int, next_attempt_at: datetime) -> None:
        """The archive did not take it; try again later."""
        self._connection.execute(
            update(rejection_calls)
            .where(rejection_calls.c.id == call_id)
            .values(next_attempt_at=next_attempt_at)
        )


def _is_unheard(call: Any) -> bool:
    """Whether an archive can't have heard of a call: it was never attempted."""
    return call.done_at is None and call.attempts == 0
