"""People's words over the machine's: added, revoked, never removed."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, insert, not_, select, update

from sonogate.domain.verdict import Override, Ruling
from sonogate.store.tables import objects, overrides, verdicts


def is_overruled(object_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a person's word holds for the object."""
    return (
        select(overrides.c.id)
        .where(overrides.c.object_id == object_id, overrides.c.revoked_at.is_(None))
        .exists()
    )


def is_in_doubt(verdict: FromClause) -> ColumnElement[bool]:
    """Whether a row of `verdicts` may be of no image at all, and nobody has said what it is."""
    return and_(verdict.c.doubt.is_not(None), not_(is_overruled(verdict.c.object_id)))


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
            else Override(band=Ruling(row.band), reason=row.reason, by=row.by, at=row.at)
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
            row.object_id: Override(band=Ruling(row.band), reason=row.reason, by=row.by, at=row.at)
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
