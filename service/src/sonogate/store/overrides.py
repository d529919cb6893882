"""People's words over the machine's: added, revoked, never removed."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from sonogate.domain.verdict import Band, Override
from sonogate.store.tables import objects, overrides, verdicts


class Overrides:
    """The table `overrides`, and the band that counts in `verdicts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def active(self, object_id: str) -> Override | None:
        """Return the override that holds, or None."""
        row = self._connection.execute(
            select(overrides)
            .where(overrides.c.object_id == object_id, overrides.c.revoked_at.is_(None))
            .order_by(overrides.c.id.desc())
        ).first()
        return (
            None
            if row is None
            else Override(band=Band(row.band), reason=row.reason, by=row.by, at=row.at)
        )

    def active_of_study(self, study_uid: str) -> dict[str, Override]:
        """Return the overrides that hold in a study, by object id."""
        rows = self._connection.execute(
            select(overrides)
            .join(objects, objects.c.object_id == overrides.c.object_id)
            .where(objects.c.study_instance_uid == study_uid, overrides.c.revoked_at.is_(None))
            .order_by(overrides.c.id)
        )
        return {
            row.object_id: Override(band=Band(row.band), reason=row.reason, by=row.by, at=row.at)
            for row in rows
        }

    def add(self, object_id: str, override: Override) -> None:
        """Let a person's band hold from now on; an earlier one is revoked by it."""
        self.revoke(object_id, override.by, override.at)
        self._connection.execute(
            insert(overrides),
            {
                "object_id": object_id,
                "band": override.band.value,
                "reason": override.reason,
                "by": override.by,
                "at": override.at,
            },
        )
        self._connection.execute(
            update(verdicts)
            .where(verdicts.c.object_id == object_id)
            .values(effective_band=override.band.value)
        )

    def revoke(self, object_id: str, by: str, at: datetime) -> bool:
        """Let the machine's band hold again; return whether there was an override."""
        result = self._connection.execute(
            update(overrides)
            .where(overrides.c.object_id == object_id, overrides.c.revoked_at.is_(None))
            .values(revoked_at=at, revoked_by=by)
        )
        self._connection.execute(
            update(verdicts)
            .where(verdicts.c.object_id == object_id)
            .values(effective_band=verdicts.c.band)
        )
        return result.rowcount > 0
