"""Who did what; rows are only ever added."""

from sqlalchemy import Connection, insert, select

from sonogate.store.records import AuditEntry
from sonogate.store.tables import audit


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
        rows = self._connection.execute(
            select(audit).order_by(audit.c.id.desc()).limit(limit)
        ).all()
        return [
            AuditEntry(
                at=row.at,
                by=row.by,
                action=row.action,
                study_uid=row.study_instance_uid,
                object_id=row.object_id,
                body=row.body,
            )
            for row in reversed(rows)
        ]
