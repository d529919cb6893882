"""A study's life in time, by `domain.study.TRANSITIONS`: it receives, settles, closes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sonogate.domain.instance import Header, ReceivedInstance
from sonogate.domain.study import TRANSITIONS, StudyEvent, StudyStatus
from sonogate.settings import TrackSettings
from sonogate.store.records import DeliveryTargets, StudyRow
from sonogate.store.transaction import Transaction
from sonogate.track.journal import Journal
from sonogate.track.summary import summarise

LIMIT = 100
"""Studies moved in one round; the rest follows in the next."""
SIGNALS: Mapping[str, StudyEvent] = {
    "mpps": StudyEvent.STEP_COMPLETED,
    "rest": StudyEvent.CLOSE_REQUESTED,
    "quiet": StudyEvent.QUIET_LONG,
}
"""What closes a study, in order of trust, as it is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyChange:
    """A study that went quiet, or no longer waits for an unread object."""

    study_uid: str
    closed: bool  #: it was closed now
    closed_by: str | None  #: the signal, if it was
    was_ready: bool  #: nothing was left to do
    n_unscored: int  #: objects that nobody judged


def admit(
    tx: Transaction, received: ReceivedInstance, header: Header, study_uid: str, now: datetime
) -> StudyRow:
    """Let an object into its study, opening or reopening it; its number is `n_instances`."""
    received_at = received.provenance.received_at
    study = tx.studies.get(study_uid)
    if study is None:
        opened = StudyRow(
            study_instance_uid=study_uid,
            accession_number=header.accession_number,
            calling_ae=received.provenance.calling_ae,
            exam_type=header.exam_type,
            status=StudyStatus.RECEIVING,
            opened_at=received_at,
            last_received_at=received_at,
            last_judged_at=now,
            n_instances=1,
        )
        tx.studies.add(opened)
        return opened
    was_closed = study.status is StudyStatus.CLOSED
    grown = replace(
        study,
        status=TRANSITIONS[study.status, StudyEvent.INSTANCE_RECEIVED],
        accession_number=study.accession_number or header.accession_number,
        exam_type=study.exam_type or header.exam_type,
        last_received_at=max(study.last_received_at, received_at),
        last_judged_at=max(study.last_judged_at, now),
        closed_at=None,
        closed_by=None,
        reopened=study.reopened + was_closed,
        n_instances=study.n_instances + 1,
    )
    tx.studies.save(grown)
    return grown


def close(
    tx: Transaction, study: StudyRow, event: StudyEvent, *, closed_by: str, now: datetime
) -> StudyRow:
    """Close a study; closing a closed one changes nothing."""
    status = TRANSITIONS[study.status, event]
    if status is study.status:
        return study
    closed = replace(study, status=status, closed_at=now, closed_by=closed_by)
    tx.studies.save(closed)
    return closed


def settle(
    tx: Transaction,
    now: datetime,
    settings: TrackSettings,
    targets: DeliveryTargets | None = None,
) -> list[StudyChange]:
    """Settle and close the studies that went quiet, and tell it; tell who need not wait any more.

    Quiet is counted from the last verdict, so that a backlog judged late does not close a study
    under the eyes of those who wait for it; a study is not quiet while anyone who sent to it has
    unread objects. What was unread may turn out to belong to another study, or to be here already:
    then nothing else would take back that the study has to wait.
    """
    journal = Journal(tx=tx, now=now, targets=targets or DeliveryTargets())
    a_while_ago = now - timedelta(seconds=settings.settle_seconds)
    changes = _close_by_signals(journal, settings)
    for study in tx.studies.quiet_since(StudyStatus.RECEIVING, a_while_ago, LIMIT):
        settled = replace(study, status=TRANSITIONS[study.status, StudyEvent.QUIET])
        tx.studies.save(settled)
        changes.append(_change(journal, settled))
    waited = tx.studies.waited_long_enough(LIMIT)
    changes += [replace(_change(journal, study), closed=False) for study in waited]
    return changes


def _close_by_signals(journal: Journal, settings: TrackSettings) -> list[StudyChange]:
    """Close what the cart says is complete, else what was quiet for long.

    A request for commitment shortens the time only: many carts ask after each image. A completed
    step counts once, so that a late image that reopens its study does so visibly.
    """
    tx, now = journal.tx, journal.now
    long_ago = now - timedelta(seconds=settings.close_seconds)
    not_so_long_ago = now - timedelta(seconds=settings.committed_close_seconds)
    found = [(study, "mpps") for study in tx.studies.completed_by_cart(LIMIT)]
    for status in (StudyStatus.RECEIVING, StudyStatus.SETTLED):
        found += [(study, "quiet") for study in tx.studies.quiet_since(status, long_ago, LIMIT)]
    found += [(study, "quiet") for study in tx.studies.asked_for(not_so_long_ago, LIMIT)]
    changes = {}
    for study, signal in found:
        if study.study_instance_uid not in changes:
            event = SIGNALS[signal]
            closed = close(tx, study, event, closed_by=signal, now=now)
            tx.steps.spend(study.study_instance_uid)
            changes[study.study_instance_uid] = _change(journal, closed)
    return list(changes.values())


def _change(journal: Journal, study: StudyRow) -> StudyChange:
    journal.tell_study(study)
    summary = summarise(journal.tx, study)
    return StudyChange(
        study_uid=study.study_instance_uid,
        closed=study.status is StudyStatus.CLOSED,
        closed_by=study.closed_by,
        was_ready=summary.ready_to_close,
        n_unscored=summary.pending + len(summary.unscored),
    )
