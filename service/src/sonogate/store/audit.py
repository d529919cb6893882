"""Who did what. Rows are only ever added; triggers of the database refuse the rest.

Only what is over a year old may go, by `prune`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select

from sonogate.errors import GateError
from sonogate.store.dialects import database_file, make_reader_engine
from sonogate.store.records import AuditEntry
from sonogate.store.tables import audit, objects, studies, verdicts

READ_AT_ONCE = 500
_STUDY = func.coalesce(audit.c.study_instance_uid, objects.c.study_instance_uid).label("study_uid")
"""An object may have been read before its study was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An entry as it stands in the trail."""

    id: int  #: counts up, and is never given again
    entry: AuditEntry
    accession_number: str | None  #: of the study


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Objects of one study, or of none, from one sender."""

    calling_ae: str
    called_ae: str
    peer_address: str
    transport: str
    study_uid: str | None
    n_by_sop_class: dict[str, int]


class Audit:
    """The table `audit`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: AuditEntry) -> None:
        """Add one entry."""
        self._connection.execute(
            insert(audit),
            {
                "at": entry.at,
                "by": entry.by,
                "action": entry.action,
                "study_instance_uid": entry.study_uid,
                "object_id": entry.object_id,
                "body": dict(entry.body),
            },
        )

    def all(self, limit: int = 1000) -> list[AuditEntry]:
        """Return the latest entries, oldest first."""
        newest = select(audit.c.id).order_by(audit.c.id.desc()).limit(limit).subquery()
        first = self._connection.execute(select(func.min(newest.c.id))).scalar() or 0
        return [noted.entry for noted in self.after(first - 1, limit)]

    def after(
        self, entry_id: int, limit: int = READ_AT_ONCE, since: datetime | None = None
    ) -> list[Noted]:
        """Return the next entries after an id, oldest first; none from before `since`."""
        query = (
            select(audit, _STUDY, studies.c.accession_number)
            .outerjoin(objects, objects.c.object_id == audit.c.object_id)
            .outerjoin(studies, studies.c.study_instance_uid == _STUDY)
            .where(audit.c.id > entry_id)
            .order_by(audit.c.id)
            .limit(limit)
        )
        if since is not None:
            query = query.where(audit.c.at >= since)
        return [
            Noted(
                id=row.id,
                entry=AuditEntry(
                    at=row.at,
                    by=row.by,
                    action=row.action,
                    study_uid=row.study_uid,
                    object_id=row.object_id,
                    body=row.body,
                ),
                accession_number=row.accession_number,
            )
            for row in self._connection.execute(query)
        ]

    def latest(self, action: str) -> AuditEntry | None:
        """Return the newest entry of one kind."""
        found = self._connection.execute(
            select(func.max(audit.c.id)).where(audit.c.action == action)
        ).scalar()
        return self.after(found - 1, 1)[0].entry if found else None

    def first_at(self, action: str) -> datetime | None:
        """Return when one kind of entry was first made."""
        return self._connection.execute(
            select(audit.c.at).where(audit.c.action == action).order_by(audit.c.id).limit(1)
        ).scalar()

    def sendings(self, after: datetime, until: datetime) -> list[Sending]:
        """Count the objects whose verdicts came in a span of time, by sender and study."""
        names = (
            objects.c.calling_ae,
            objects.c.called_ae,
            objects.c.peer_address,
            objects.c.transport,
            objects.c.study_instance_uid,
        )
        rows = self._connection.execute(
            select(*names, objects.c.sop_class_uid, func.count().label("n_objects"))
            .join(verdicts, verdicts.c.object_id == objects.c.object_id)
            .where(verdicts.c.verdict_at > after, verdicts.c.verdict_at <= until)
            .group_by(*names, objects.c.sop_class_uid)
            .order_by(func.min(verdicts.c.verdict_at))
        )
        found: dict[tuple[str | None, ...], dict[str, int]] = {}
        for *key, sop_class_uid, n_objects in rows:
            found.setdefault(tuple(key), {})[sop_class_uid or ""] = n_objects
        return [
            Sending(
                calling_ae=key[0] or "",
                called_ae=key[1] or "",
                peer_address=key[2] or "",
                transport=key[3] or "",
                study_uid=key[4],
                n_by_sop_class=counts,
            )
            for key, counts in found.items()
        ]

    def object_of_instance(self, sop_instance_uid: str) -> str | None:
        """Return the current content of a SOP instance UID."""
        return self._connection.execute(
            select(objects.c.object_id)
            .where(objects.c.sop_instance_uid == sop_instance_uid)
            .order_by(objects.c.is_current.desc())
            .limit(1)
        ).scalar()

    def study_of_object(self, object_id: str) -> str | None:
        """Return the study of one received object."""
        return self._connection.execute(
            select(objects.c.study_instance_uid).where(objects.c.object_id == object_id)
        ).scalar()

    def prune(self, before: datetime, limit: int) -> int:
        """Remove some entries from before a time, and return how many.

        Args:
            before: over a year ago, else the database refuses.
            limit: removed at once, at most.
        """
        oldest = select(audit.c.id).where(audit.c.at < before).order_by(audit.c.at).limit(limit)
        ids = list(self._connection.execute(oldest).scalars())
        self._connection.execute(delete(audit).where(audit.c.id.in_(ids)))
        return len(ids)


def trail_of(url: str, since: datetime | None = None) -> Iterator[Noted]:
    """Read a database's whole trail, oldest first, a running gate's too; it writes nothing.

    Raises:
        GateError: There is no such database.
    """
    _check_there(database_file(url))
    engine, last_id = make_reader_engine(url, 1), 0
    try:
        while True:
            with engine.begin() as connection:
                some = Audit(connection).after(last_id, since=since)
            yield from some
            if len(some) < READ_AT_ONCE:
                return
            last_id = some[-1].id
    finally:
        engine.dispose()


def _check_there(path: Path | None) -> None:
    if path is not None and not path.exists():
        raise GateError(f"{path}: there is no database; name the gate's settings with --config")
