"""Record a verdict: with it, in one transaction, its study, its links, and what is to be told."""

from dataclasses import dataclass
from datetime import datetime

from sonogate.domain.instance import Header
from sonogate.domain.job import Examination
from sonogate.domain.verdict import Verdict
from sonogate.errors import UnknownInstanceError
from sonogate.settings import TrackSettings
from sonogate.store.records import (
    ClaimedObject,
    DeliveryTargets,
    EventKind,
    ObjectState,
    Picture,
    StoredObject,
    StoredVerdict,
    StudyRow,
)
from sonogate.store.transaction import Transaction
from sonogate.track import lateness, settling
from sonogate.track.journal import Journal
from sonogate.track.reacquisition import Relations, relate

__all__ = ["DeliveryTargets", "Recorded", "Transaction", "record", "recover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a verdict."""

    verdict: Verdict  #: as read back: supersedes filled
    study_uid: str | None
    number: int | None  #: within its study
    event_ids: tuple[int, ...] = ()  #: empty if it was recorded before
    cleared: tuple[str, ...] = ()  #: how each earlier low was cleared: "view" | "similarity"


def record(  # noqa: PLR0917 - the port that the pipeline and its tests call
    tx: Transaction,
    claimed: ClaimedObject,
    examination: Examination,
    verdict: Verdict,
    now: datetime,
    settings: TrackSettings,
    targets: DeliveryTargets | None = None,
) -> Recorded:
    """Record the verdict of a claimed object, once: a second time changes nothing.

    Raises:
        UnknownInstanceError: the object was never kept.
    """
    object_id = claimed.received.object_id
    found = tx.objects.get(object_id)
    if found is None:
        raise UnknownInstanceError
    if found.state is ObjectState.JUDGED:
        return _recorded_before(tx, found)
    header = examination.header
    if claimed.received.sop_instance_uid is None and header.sop_instance_uid:
        tx.objects.adopt_uid(object_id, header.sop_instance_uid)
    study = _enter(tx, claimed, header, verdict, now)
    _keep(tx, object_id, examination, verdict, study)
    lateness.note(tx, claimed.received, header)
    relations = Relations()
    if study is not None:
        relations = relate(tx, study.study_instance_uid, object_id, now)
    stored = _read(tx, object_id)
    journal = Journal(tx=tx, now=now, targets=targets or DeliveryTargets())
    return Recorded(
        verdict=stored.verdict,
        study_uid=stored.study_instance_uid,
        number=stored.number,
        event_ids=_tell(journal, stored, study, relations),
        cleared=relations.cleared,
    )


def recover(tx: Transaction, owner: str) -> int:
    """At the start: give back what an earlier gate process had claimed; return how many."""
    return tx.objects.release_all_of_other_owners(owner)


def _recorded_before(tx: Transaction, found: StoredObject) -> Recorded:
    stored = _read(tx, found.received.object_id)
    return Recorded(
        verdict=stored.verdict, study_uid=stored.study_instance_uid, number=stored.number
    )


def _read(tx: Transaction, object_id: str) -> StoredVerdict:
    found = tx.objects.get(object_id)
    stored = tx.verdicts.read(found) if found else None
    if stored is None:
        raise UnknownInstanceError
    return stored


def _enter(
    tx: Transaction, claimed: ClaimedObject, header: Header, verdict: Verdict, now: datetime
) -> StudyRow | None:
    """Let the object into its study; a plain picture, or one without a study UID, has none."""
    study_uid = header.study_instance_uid or verdict.study_instance_uid
    if not study_uid:
        return None
    return settling.admit(tx, claimed.received, header, study_uid, now)


def _keep(
    tx: Transaction,
    object_id: str,
    examination: Examination,
    verdict: Verdict,
    study: StudyRow | None,
) -> None:
    tx.objects.mark_judged(
        object_id,
        examination.header,
        number=study.n_instances if study else None,
        study_uid=study.study_instance_uid if study else None,
        has_calipers=examination.has_calipers,
    )
    tx.verdicts.add(object_id, verdict)
    tx.pictures.add(
        object_id,
        Picture(
            thumbnail=examination.thumbnail_png,
            heatmap=examination.heatmap_png,
            fingerprint=examination.fingerprint,
        ),
    )


def _tell(
    journal: Journal, stored: StoredVerdict, study: StudyRow | None, relations: Relations
) -> tuple[int, ...]:
    event_ids = [journal.tell_verdict(EventKind.VERDICT, stored)]
    event_ids += [journal.tell_question(question) for question in relations.questions]
    if study is not None:
        event_ids.append(journal.tell_study(study))
    return tuple(event_ids)
