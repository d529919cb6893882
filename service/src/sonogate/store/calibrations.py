"""Calibrations that were applied, which of them hold, and what they would change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from sonogate.domain.verdict import Status, Verdict
from sonogate.errors import CalibrationError
from sonogate.store.dialects import database_file, make_reader_engine
from sonogate.store.tables import calibrations, objects, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedCalibration:
    """One time that a calibration was applied."""

    calibration: str  #: its id
    content: str  #: its file
    exam_type: str | None
    view: str | None
    applied_at: datetime
    applied_by: str
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuality:
    """A verdict with a quality, and whose it is for the choice of a threshold."""

    verdict: Verdict
    exam_type: str | None
    view: str | None


class Calibrations:
    """The table `calibrations`; rows are never removed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def apply(self, new: AppliedCalibration) -> str | None:
        """Let a calibration hold from now on.

        Returns:
            The id of the one that held for the same exams until now.
        """
        earlier = self._holding(new.exam_type, new.view)
        if earlier is not None:
            self._end(earlier.calibration, new.applied_at, new.applied_by)
        self._connection.execute(
            insert(calibrations),
            {
                "calibration": new.calibration,
                "content": new.content,
                "exam_type": new.exam_type,
                "view": new.view,
                "applied_at": new.applied_at,
                "applied_by": new.applied_by,
            },
        )
        return earlier.calibration if earlier else None

    def revoke(self, calibration: str, now: datetime, by: str) -> bool:
        """End a calibration; whether it held."""
        return self._end(calibration, now, by)

    def active(self) -> list[AppliedCalibration]:
        """Return those that hold, in the order of applying."""
        return [each for each in self.all() if each.ended_at is None]

    def all(self) -> list[AppliedCalibration]:
        """Return the whole history, in the order of applying."""
        rows = self._connection.execute(select(calibrations).order_by(calibrations.c.id))
        return [
            AppliedCalibration(
                calibration=row.calibration,
                content=row.content,
                exam_type=row.exam_type,
                view=row.view,
                applied_at=row.applied_at,
                applied_by=row.applied_by,
                ended_at=row.ended_at,
                ended_by=row.ended_by,
            )
            for row in rows
        ]

    def graded(self, limit: int) -> Iterator[StoredQuality]:
        """Return the newest verdicts that have a quality, as judged."""
        rows = self._connection.execute(
            select(verdicts.c.body, objects.c.exam_type, objects.c.view)
            .join(objects, objects.c.object_id == verdicts.c.object_id)
            .where(verdicts.c.status == Status.GRADED.value)
            .order_by(verdicts.c.verdict_at.desc())
            .limit(limit)
        )
        for row in rows:
            yield StoredQuality(
                verdict=Verdict.model_validate(row.body), exam_type=row.exam_type, view=row.view
            )

    def _holding(self, exam_type: str | None, view: str | None) -> AppliedCalibration | None:
        same = [each for each in self.active() if (each.exam_type, each.view) == (exam_type, view)]
        return same[0] if same else None

    def _end(self, calibration: str, now: datetime, by: str) -> bool:
        changed = self._connection.execute(
            update(calibrations)
            .where(calibrations.c.calibration == calibration, calibrations.c.ended_at.is_(None))
            .values(ended_at=now, ended_by=by)
        )
        return changed.rowcount > 0


def in_force(url: str) -> list[AppliedCalibration]:
    """Read which calibrations hold, a running gate's too; writes nothing.

    Returns:
        Those in force, in the order of applying; none where there is no database yet.

    Raises:
        CalibrationError: the database can't be read, or is an earlier release's.
    """
    path = database_file(url)
    if path is not None and not path.exists():
        return []
    engine = make_reader_engine(url, 1)
    try:
        with engine.begin() as connection:
            return Calibrations(connection).active()
    except SQLAlchemyError as error:
        raise CalibrationError(
            f"The database can't tell which calibrations hold ({type(error).__name__})."
        ) from error
    finally:
        engine.dispose()
