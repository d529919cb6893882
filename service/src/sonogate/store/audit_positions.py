"""How far each audit record repository has been sent the trail."""

from sqlalchemy import Connection, func, select

from sonogate.store.tables import audit, audit_positions


class AuditPositions:
    """The table `audit_positions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, repository: str) -> int | None:
        """Return the id of the last entry that a repository has; None if it is new."""
        return self._connection.execute(
            select(audit_positions.c.entry_id).where(audit_positions.c.repository == repository)
        ).scalar()

    def move(self, repository: str, entry_id: int) -> None:
        """Say that a repository has everything up to an entry."""
        known = self.of(repository)
        change = (
            audit_positions.insert().values(repository=repository)
            if known is None
            else audit_positions.update().where(audit_positions.c.repository == repository)
        )
        self._connection.execute(change.values(entry_id=entry_id))

    def newest(self) -> int:
        """Return the id of the newest entry; 0 if there is none."""
        return self._connection.execute(select(func.max(audit.c.id))).scalar() or 0

    def before_last(self, action: str) -> int:
        """Return the id before the newest entry of one kind; 0 if there is none."""
        found = self._connection.execute(
            select(func.max(audit.c.id)).where(audit.c.action == action)
        ).scalar()
        return found - 1 if found else 0
