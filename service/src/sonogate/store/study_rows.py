"""Between rows of a study's tables and their records."""

from typing import Any

from sonogate.domain.study import StudyStatus
from sonogate.domain.verdict import Band, Verdict
from sonogate.store.records import Candidate, InstanceRow, StudyRow

_BANDS = frozenset(band.value for band in Band)


def to_study(row: Any) -> StudyRow:
    """Build a study's own columns."""
    return StudyRow(
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        calling_ae=row.calling_ae,
        exam_type=row.exam_type,
        status=StudyStatus(row.status),
        opened_at=row.opened_at,
        last_received_at=row.last_received_at,
        last_judged_at=row.last_judged_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        reopened=row.reopened,
        n_instances=row.n_instances,
        told_pending=row.told_pending,
    )


def to_instance(row: Any) -> InstanceRow:
    """Build an object of a study with its verdict as judged."""
    return InstanceRow(
        object_id=row.object_id,
        number=row.number,
        sop_instance_uid=row.sop_instance_uid or None,
        content_sha256=row.content_sha256,
        is_conflict=row.is_conflict,
        is_current=row.is_current,
        view=row.view,
        effective_band=Band(row.effective_band) if row.effective_band in _BANDS else None,
        verdict=Verdict.model_validate(row.body),
    )


def to_candidate(row: Any) -> Candidate:
    """Build what a re-acquisition is looked for with."""
    return Candidate(
        object_id=row.object_id,
        number=row.number,
        view=row.view,
        laterality=row.laterality,
        view_modifiers=row.view_modifiers,
        received_at=row.received_at,
        acquired_at=row.acquired_at,
        effective_band=Band(row.effective_band),
        has_calipers=bool(row.has_calipers),
        fingerprint=row.fingerprint,
    )
