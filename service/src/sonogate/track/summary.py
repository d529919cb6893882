"""A study as people see it, put together from what is stored now.

`ready_to_close` is false while anything is without a verdict (an unread object of any of its
senders may belong to this study, even one that the database does not hold yet), while a low needs
re-acquiring, and while anything is unscorable. An unscorable image blocks since nobody has judged
it: a person looks and overrides, or closes by hand. So does a low that may be no image at all,
until a person says what it is. What is not applicable never blocks. What the cart says it made and
has not come blocks, and so does an exam that the cart gave up.
"""

from collections.abc import Iterable, Mapping

from sonogate.domain.advice import Advice
from sonogate.domain.procedure import StepStatus
from sonogate.domain.rejection import Rejection
from sonogate.domain.study import Performed, Question, Study, StudyInstance, StudySummary
from sonogate.domain.verdict import Band, Override, Status
from sonogate.settings import TrackSettings
from sonogate.store.records import InstanceRow, StudyRow, Tally
from sonogate.store.transaction import Transaction
from sonogate.track import lateness


def summarise(tx: Transaction, study: StudyRow) -> StudySummary:
    """Count a study."""
    tally = tx.studies.tally(study.study_instance_uid)
    outcomes = tally.by_outcome
    performed = performed_of(tx, study.study_instance_uid)
    return StudySummary(
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        calling_ae=study.calling_ae,
        exam_type=study.exam_type,
        status=study.status,
        ready_to_close=not (_is_unfinished(tally) or _is_amiss(performed)),
        opened_at=study.opened_at,
        last_received_at=study.last_received_at,
        closed_at=study.closed_at,
        closed_by=study.closed_by,
        reopened=study.reopened,
        received=tally.received,
        high=outcomes.get(Band.HIGH.value, 0),
        medium=outcomes.get(Band.MEDIUM.value, 0),
        low=outcomes.get(Band.LOW.value, 0),
        not_applicable=outcomes.get(Status.NOT_APPLICABLE.value, 0),
        unscorable=outcomes.get(Status.UNSCORABLE.value, 0),
        pending=tally.pending,
        reacquire=list(tally.reacquire),
        doubtful=list(tally.doubtful),
        unscored=list(tally.unscored),
        performed=performed,
    )


def performed_of(tx: Transaction, study_uid: str) -> Performed | None:
    """Return what the cart says of a study; None if it said nothing."""
    said = {step.status for step in tx.steps.of_study(study_uid)}
    if not said:
        return None
    named, missing = tx.steps.n_named(study_uid)
    status = next(each for each in StepStatus if each in said)
    return Performed(status=status, named=named, missing=missing)


def _is_unfinished(tally: Tally) -> bool:
    return bool(tally.pending or tally.reacquire or tally.doubtful or tally.unscored)


def _is_amiss(performed: Performed | None) -> bool:
    """Whether the cart gave the exam up, or says it made more than has come."""
    if performed is None:
        return False
    return performed.missing > 0 or performed.status is StepStatus.DISCONTINUED


def describe(
    tx: Transaction,
    study: StudyRow,
    settings: TrackSettings,
    rejections: Mapping[str, Rejection],
) -> Study:
    """Return a study with all its instances, open questions, and how its cart sends."""
    study_uid = study.study_instance_uid
    rows = tx.studies.instances(study_uid)
    numbers = {row.object_id: row.number for row in rows}
    sender = tx.senders.get(study.calling_ae)
    report = lateness.report(sender, settings) if sender else None
    return Study(
        **summarise(tx, study).model_dump(),
        instances=_instances(tx, study_uid, rows, rejections),
        questions=[
            Question(
                newer=numbers[link.object_id],
                older=numbers[link.other_id],
                similarity=link.similarity or 0.0,
            )
            for link in tx.links.open_questions(study_uid)
        ],
        sends_late_seconds=report.sends_late_seconds if report else None,
        sender_advice=report.advice if report else None,
    )


def _instances(
    tx: Transaction,
    study_uid: str,
    rows: list[InstanceRow],
    rejections: Mapping[str, Rejection],
) -> list[StudyInstance]:
    by_id = {row.object_id: row for row in rows}
    overrides = tx.overrides.active_of_study(study_uid)
    advised = tx.advices.of_study(study_uid)
    supersedes = tx.links.supersedes(study_uid)
    twins = tx.links.twins(study_uid)
    clears = _latest(by_id, ((link.object_id, link.other_id) for link in supersedes))
    cleared_by = _latest(by_id, ((link.other_id, link.object_id) for link in supersedes))
    clean = _latest(by_id, ((link.object_id, link.other_id) for link in twins))
    return [
        _instance(
            row,
            override=overrides.get(row.object_id),
            older=clears.get(row.object_id),
            newer=cleared_by.get(row.object_id),
            clean=clean.get(row.object_id),
            rejection=rejections.get(row.object_id),
            advised=advised.get(row.object_id),
        )
        for row in rows
    ]


def _latest(
    by_id: dict[str, InstanceRow], pairs: Iterable[tuple[str, str]]
) -> dict[str, InstanceRow]:
    """Map each first object to the highest-numbered second one."""
    found: dict[str, InstanceRow] = {}
    for first, second in pairs:
        if second in by_id and by_id[second].number >= getattr(found.get(first), "number", 0):
            found[first] = by_id[second]
    return found


def _instance(
    row: InstanceRow,
    *,
    override: Override | None,
    older: InstanceRow | None,
    newer: InstanceRow | None,
    clean: InstanceRow | None,
    rejection: Rejection | None,
    advised: Advice | None,
) -> StudyInstance:
    verdict = row.verdict.told(
        override,
        supersedes=older.sop_instance_uid if older else None,
        superseded_by=newer.sop_instance_uid if newer else None,
    ).advised(advised)
    return StudyInstance(
        number=row.number,
        object_id=row.object_id,
        content_sha256=row.content_sha256,
        conflict=row.is_conflict,
        current=row.is_current,
        twin_of=clean.number if clean else None,
        replaces=older.number if older else None,
        replaced_by=newer.number if newer else None,
        view=row.view,
        rejection=rejection,
        verdict=verdict,
    )
