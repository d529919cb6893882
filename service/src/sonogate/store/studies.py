"""Studies: their own columns are stored, their counts computed from what is there now."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    func,
    insert,
    not_,
    select,
    update,
)

from sonogate.domain.study import StudyStatus
from sonogate.domain.verdict import Band, Status
from sonogate.store.commitments import is_asked_for
from sonogate.store.links import is_cleared, is_twin
from sonogate.store.overrides import is_in_doubt
from sonogate.store.records import (
    Candidate,
    InstanceRow,
    ObjectState,
    StudyRow,
    Tally,
)
from sonogate.store.steps import is_completed_by_cart
from sonogate.store.study_rows import to_candidate, to_instance, to_study
from sonogate.store.tables import objects, pictures, studies, verdicts
from sonogate.store.unentered import Unentered

_BANDS = tuple(band.value for band in Band)
_UNJUDGED = (ObjectState.WAITING.value, ObjectState.CLAIMED.value)

_OPEN = (StudyStatus.RECEIVING.value, StudyStatus.SETTLED.value)

_OF_STUDY = objects.c.study_instance_uid == bindparam("study")
_COUNTS = and_(_OF_STUDY, objects.c.is_current, not_(is_twin(objects.c.object_id)))
"""Objects that count: the latest content of their UID, and no caliper twin."""
_IS_IN_DOUBT = is_in_doubt(verdicts)
_IS_BAD = and_(
    _COUNTS, verdicts.c.effective_band == Band.LOW.value, not_(is_cleared(objects.c.object_id))
)
_NEEDS_RE_ACQUIRING = and_(_IS_BAD, not_(_IS_IN_DOUBT))
_NEEDS_A_LOOK = and_(_IS_BAD, _IS_IN_DOUBT)
"""Low, if it is an image at all: a person says so, or that there is nothing to grade."""
_IS_UNSCORED = and_(
    _COUNTS,
    verdicts.c.status == Status.UNSCORABLE.value,
    verdicts.c.effective_band.is_(None),
)

_RECEIVED = select(func.count()).select_from(objects).where(_OF_STUDY)
_OUTCOME = func.coalesce(verdicts.c.effective_band, verdicts.c.status)
_OUTCOMES = (
    select(_OUTCOME, func.count())
    .select_from(objects)
    .join(verdicts, verdicts.c.object_id == objects.c.object_id)
    .where(_COUNTS)
    .group_by(_OUTCOME)
)
_contributions = objects.alias("contributions")
_SENDERS = (
    select(_contributions.c.calling_ae)
    .where(_contributions.c.study_instance_uid == bindparam("study"))
    .distinct()
)
_PENDING = (
    select(func.count())
    .select_from(objects)
    .where(objects.c.state.in_(_UNJUDGED), objects.c.calling_ae.in_(_SENDERS))
)
_SENDERS_OF_EACH = select(_contributions.c.calling_ae).where(
    _contributions.c.study_instance_uid == studies.c.study_instance_uid
)
_HAS_UNREAD = (
    select(objects.c.object_id)
    .where(objects.c.state.in_(_UNJUDGED), objects.c.calling_ae.in_(_SENDERS_OF_EACH))
    .correlate(studies)
    .exists()
)
_WAITED_LONG_ENOUGH = (
    select(studies)
    .where(studies.c.told_pending > 0, not_(_HAS_UNREAD))
    .order_by(studies.c.study_instance_uid)
)
_NUMBERS = (
    select(objects.c.number)
    .join(verdicts, verdicts.c.object_id == objects.c.object_id)
    .order_by(objects.c.number)
)
_REACQUIRE = _NUMBERS.where(_NEEDS_RE_ACQUIRING)
_DOUBTFUL = _NUMBERS.where(_NEEDS_A_LOOK)
_UNSCORED = _NUMBERS.where(_IS_UNSCORED)

_CANDIDATES = (
    select(
        objects.c.object_id,
        objects.c.number,
        objects.c.view,
        objects.c.laterality,
        objects.c.view_modifiers,
        objects.c.received_at,
        objects.c.acquired_at,
        objects.c.has_calipers,
        verdicts.c.effective_band,
        pictures.c.fingerprint,
    )
    .join(verdicts, verdicts.c.object_id == objects.c.object_id)
    .outerjoin(pictures, pictures.c.object_id == objects.c.object_id)
    .where(objects.c.is_current, verdicts.c.effective_band.in_(_BANDS), not_(_IS_IN_DOUBT))
    .order_by(objects.c.number.desc())
)
_CANDIDATE = _CANDIDATES.where(objects.c.object_id == bindparam("object"))
_NEWEST = _CANDIDATES.limit(bindparam("limit", type_=Integer))
_LOWS_TO_CLEAR = _NEWEST.where(_NEEDS_RE_ACQUIRING)
_GRADED = _NEWEST.where(
    _OF_STUDY, verdicts.c.effective_band.in_(bindparam("bands", expanding=True))
)


class StudyRows:
    """The table `studies`."""

    def __init__(self, connection: Connection, unentered: Unentered) -> None:
        self._connection = connection
        self._unentered = unentered

    def get(self, study_uid: str) -> StudyRow | None:
        """Return one study, or None."""
        row = self._connection.execute(
            select(studies).where(studies.c.study_instance_uid == study_uid)
        ).first()
        return to_study(row) if row is not None else None

    def add(self, study: StudyRow) -> None:
        """Open a study."""
        self._connection.execute(
            insert(studies),
            {
                "study_instance_uid": study.study_instance_uid,
                "accession_number": study.accession_number,
                "calling_ae": study.calling_ae,
                "exam_type": study.exam_type,
                "status": study.status.value,
                "opened_at": study.opened_at,
                "last_received_at": study.last_received_at,
                "last_judged_at": study.last_judged_at,
                "reopened": study.reopened,
                "n_instances": study.n_instances,
                "told_pending": study.told_pending,
            },
        )

    def save(self, study: StudyRow) -> None:
        """Store a study's changed columns."""
        self._connection.execute(
            update(studies)
            .where(studies.c.study_instance_uid == study.study_instance_uid)
            .values(
                accession_number=study.accession_number,
                exam_type=study.exam_type,
                status=study.status.value,
                last_received_at=study.last_received_at,
                last_judged_at=study.last_judged_at,
                closed_at=study.closed_at,
                closed_by=study.closed_by,
                reopened=study.reopened,
                n_instances=study.n_instances,
                told_pending=study.told_pending,
            )
        )

    def latest(self, status: StudyStatus | None, limit: int) -> list[StudyRow]:
        """Return studies, the one that received last first."""
        statement = select(studies).order_by(
            studies.c.last_received_at.desc(), studies.c.study_instance_uid
        )
        if status is not None:
            statement = statement.where(studies.c.status == status.value)
        return [to_study(row) for row in self._connection.execute(statement.limit(limit))]

    def quiet_since(self, status: StudyStatus, cutoff: datetime, limit: int) -> list[StudyRow]:
        """Return studies quiet since `cutoff`, but none that may still grow by an unread object."""
        rows = self._connection.execute(
            select(studies)
            .where(
                studies.c.status == status.value,
                studies.c.last_judged_at <= cutoff,
                not_(_HAS_UNREAD),
            )
            .order_by(studies.c.last_judged_at)
            .limit(limit)
        )
        return self._with_all_entered(rows)

    def completed_by_cart(self, limit: int) -> list[StudyRow]:
        """Return open studies of which the cart said that they are complete, and all of it came."""
        return self._open_and(is_completed_by_cart(), limit=limit)

    def asked_for(self, cutoff: datetime, limit: int) -> list[StudyRow]:
        """Return open studies quiet since `cutoff` for which commitment was asked since then."""
        return self._open_and(studies.c.last_judged_at <= cutoff, is_asked_for(), limit=limit)

    def _open_and(self, *conditions: ColumnElement[bool], limit: int) -> list[StudyRow]:
        rows = self._connection.execute(
            select(studies)
            .where(studies.c.status.in_(_OPEN), *conditions, not_(_HAS_UNREAD))
            .order_by(studies.c.last_judged_at)
            .limit(limit)
        )
        return self._with_all_entered(rows)

    def waited_long_enough(self, limit: int) -> list[StudyRow]:
        """Return studies last told to wait for unread objects, of which none is left."""
        return self._with_all_entered(self._connection.execute(_WAITED_LONG_ENOUGH.limit(limit)))

    def _with_all_entered(self, rows: Iterable[Any]) -> list[StudyRow]:
        found = [to_study(row) for row in rows]
        return [each for each in found if not self._n_unentered(each.study_instance_uid)]

    def _n_unentered(self, study_uid: str) -> int:
        """Count what its senders were acknowledged and the database does not hold yet."""
        if not self._unentered:
            return 0
        senders = self._connection.execute(_SENDERS, {"study": study_uid}).scalars()
        waiting = self._unentered.of(senders)
        if not waiting:
            return 0
        here = select(func.count()).select_from(objects).where(objects.c.object_id.in_(waiting))
        return len(waiting) - self._connection.execute(here).scalar_one()

    def tally(self, study_uid: str) -> Tally:
        """Count a study."""
        study = {"study": study_uid}
        run = self._connection.execute
        return Tally(
            received=run(_RECEIVED, study).scalar_one(),
            by_outcome={row[0]: row[1] for row in run(_OUTCOMES, study)},
            pending=run(_PENDING, study).scalar_one() + self._n_unentered(study_uid),
            reacquire=tuple(run(_REACQUIRE, study).scalars()),
            doubtful=tuple(run(_DOUBTFUL, study).scalars()),
            unscored=tuple(run(_UNSCORED, study).scalars()),
        )

    def instances(self, study_uid: str) -> list[InstanceRow]:
        """Return every object of a study, by number."""
        rows = self._connection.execute(
            select(
                objects.c.object_id,
                objects.c.number,
                objects.c.sop_instance_uid,
                objects.c.content_sha256,
                objects.c.is_conflict,
                objects.c.is_current,
                objects.c.view,
                verdicts.c.effective_band,
                verdicts.c.body,
            )
            .join(verdicts, verdicts.c.object_id == objects.c.object_id)
            .where(objects.c.study_instance_uid == study_uid)
            .order_by(objects.c.number)
        )
        return [to_instance(row) for row in rows]

    def object_id_of(self, study_uid: str, number: int) -> str | None:
        """Return the object that bears a number in a study, or None."""
        return self._connection.execute(
            select(objects.c.object_id).where(
                objects.c.study_instance_uid == study_uid, objects.c.number == number
            )
        ).scalar()

    def candidate(self, object_id: str) -> Candidate | None:
        """Return one graded, current object, or None; none whose grade may mean nothing."""
        row = self._connection.execute(_CANDIDATE, {"object": object_id}).first()
        return to_candidate(row) if row is not None else None

    def lows_to_clear(self, study_uid: str, limit: int) -> list[Candidate]:
        """Return the newest lows of a study that still need re-acquiring, newest first."""
        rows = self._connection.execute(_LOWS_TO_CLEAR, {"study": study_uid, "limit": limit})
        return [to_candidate(row) for row in rows]

    def graded(self, study_uid: str, bands: tuple[Band, ...], limit: int) -> list[Candidate]:
        """Return the newest current objects of a study in these bands, newest first."""
        values = [band.value for band in bands]
        rows = self._connection.execute(
            _GRADED, {"study": study_uid, "bands": values, "limit": limit}
        )
        return [to_candidate(row) for row in rows]
