"""What the gate made of its verdicts for a PACS, and which studies ask for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from sonogate.store.result_tables import owed_results, results


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One result that was made."""

    sop_instance_uid: str
    result_id: str  #: a ULID; `forwards` owes it under this name
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    kind: str  #: report | advice | rejection
    object_id: str  #: the rejected object; "" for a result about a study
    version: int
    facts_sha256: str  #: equal while there is nothing new to say
    content_sha256: str  #: of the file, lower-case hex
    size_bytes: int
    file_name: str  #: in the folder of results; never derived from a UID as sent
    made_at: datetime
    ended_at: datetime | None = None  #: superseded, or no longer true
    bytes_gone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedResults:
    """A study whose results are to be made."""

    study_instance_uid: str
    n_asked: int
    asked_at: datetime
    attempts: int


class Results:
    """The tables `results` and `owed_results`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, study_uid: str, now: datetime, delay_seconds: float) -> None:
        """Ask for a study's results; asking again before they are made waits anew."""
        due = now + timedelta(seconds=delay_seconds)
        asked = self._connection.execute(
            update(owed_results)
            .where(owed_results.c.study_instance_uid == study_uid)
            .values(
                n_asked=owed_results.c.n_asked + 1, asked_at=now, attempts=0, next_attempt_at=due
            )
        )
        if not asked.rowcount:
            self._connection.execute(
                insert(owed_results),
                {
                    "study_instance_uid": study_uid,
                    "n_asked": 1,
                    "asked_at": now,
                    "attempts": 0,
                    "next_attempt_at": due,
                },
            )

    def due(self, now: datetime, limit: int) -> list[OwedResults]:
        """Return studies whose results are due, the longest waiting first."""
        rows = self._connection.execute(
            select(owed_results)
            .where(owed_results.c.next_attempt_at <= now)
            .order_by(owed_results.c.next_attempt_at)
            .limit(limit)
        )
        return [
            OwedResults(
                study_instance_uid=row.study_instance_uid,
                n_asked=row.n_asked,
                asked_at=row.asked_at,
                attempts=row.attempts,
            )
            for row in rows
        ]

    def next_due_at(self) -> datetime | None:
        """Return when the next study is due."""
        at: datetime | None = self._connection.execute(
            select(owed_results.c.next_attempt_at).order_by(owed_results.c.next_attempt_at).limit(1)
        ).scalar()
        return at

    def settled(self, owed: OwedResults) -> None:
        """What was asked for is made; if it was asked for again meanwhile, it is still owed."""
        self._connection.execute(delete(owed_results).where(*_same(owed)))

    def failed(self, owed: OwedResults, next_attempt_at: datetime) -> None:
        """Try again at `next_attempt_at`."""
        self._connection.execute(
            update(owed_results)
            .where(*_same(owed))
            .values(attempts=owed_results.c.attempts + 1, next_attempt_at=next_attempt_at)
        )

    def add(self, row: ResultRow) -> None:
        """Enter a result; the earlier version of the same ends with it."""
        self.end(row.study_instance_uid, row.kind, row.object_id, row.made_at)
        self._connection.execute(
            insert(results), {name: getattr(row, name) for name in ResultRow.__slots__}
        )

    def end(self, study_uid: str, kind: str, object_id: str, now: datetime) -> bool:
        """Note that a result does not hold any more; return whether one did."""
        ended = self._connection.execute(
            update(results)
            .where(
                results.c.study_instance_uid == study_uid,
                results.c.kind == kind,
                results.c.object_id == object_id,
                results.c.ended_at.is_(None),
            )
            .values(ended_at=now)
        )
        return ended.rowcount > 0

    def get(self, sop_instance_uid: str) -> ResultRow | None:
        """Return one result, or None."""
        row = self._connection.execute(
            select(results).where(results.c.sop_instance_uid == sop_instance_uid)
        ).first()
        return _to_row(row) if row is not None else None

    def of_study(self, study_uid: str) -> list[ResultRow]:
        """Return every result of a study, in the order they were made."""
        rows = self._connection.execute(
            select(results)
            .where(results.c.study_instance_uid == study_uid)
            .order_by(results.c.made_at, results.c.kind, results.c.object_id)
        )
        return [_to_row(row) for row in rows]

    def latest(self, limit: int, offset: int = 0) -> list[ResultRow]:
        """Return results whose bytes are here, the newest first."""
        rows = self._connection.execute(
            select(results)
            .where(results.c.bytes_gone_at.is_(None))
            .order_by(results.c.made_at.desc(), results.c.sop_instance_uid)
            .limit(limit)
            .offset(offset)
        )
        return [_to_row(row) for row in rows]

    def expired(self, before: datetime, limit: int) -> list[ResultRow]:
        """Return results made before a time whose bytes are still here."""
        rows = self._connection.execute(
            select(results)
            .where(results.c.made_at < before, results.c.bytes_gone_at.is_(None))
            .order_by(results.c.made_at)
            .limit(limit)
        )
        return [_to_row(row) for row in rows]

    def mark_bytes_gone(self, sop_instance_uids: list[str], now: datetime) -> None:
        """Note that these files are gone; after they were removed."""
        self._connection.execute(
            update(results)
            .where(results.c.sop_instance_uid.in_(sop_instance_uids))
            .values(bytes_gone_at=now)
        )

    def file_names(self) -> set[str]:
        """Return the files that must be kept."""
        statement = select(results.c.file_name).where(results.c.bytes_gone_at.is_(None))
        return set(self._connection.execute(statement).scalars())


def _same(owed: OwedResults) -> tuple[Any, ...]:
    return (
        owed_results.c.study_instance_uid == owed.study_instance_uid,
        owed_results.c.n_asked == owed.n_asked,
    )


def _to_row(row: Any) -> ResultRow:
    return ResultRow(**{name: getattr(row, name) for name in ResultRow.__slots__})
