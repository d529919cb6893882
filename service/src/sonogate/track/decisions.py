"""What people decide: close, answer, override, take back. Each is audited and told."""

from dataclasses import replace

from sonogate.domain.study import StudyEvent
from sonogate.domain.verdict import Override
from sonogate.errors import StudyStateError
from sonogate.store.records import (
    Answer,
    AuditEntry,
    Body,
    EventKind,
    Link,
    LinkKind,
    StoredObject,
    StudyRow,
)
from sonogate.store.rejections import RejectionRow
from sonogate.track import settling
from sonogate.track.journal import Journal
from sonogate.track.reacquisition import ask_again, relate


def close(journal: Journal, study: StudyRow, by: str) -> None:
    """Close a study by hand, ready or not."""
    closed = settling.close(
        journal.tx, study, StudyEvent.CLOSE_REQUESTED, closed_by="rest", now=journal.now
    )
    if closed is study:
        return
    _audit(journal, by, "close", {}, study_uid=study.study_instance_uid)
    journal.tell_study(closed)


def answer(
    journal: Journal, study: StudyRow, *, newer: int, older: int, replaces: bool, by: str
) -> None:
    """Answer the open question whether image `newer` replaces image `older`.

    Raises:
        StudyStateError: no such question is open.
    """
    tx, now, study_uid = journal.tx, journal.now, study.study_instance_uid
    question = _open_question(journal, study_uid, newer, older)
    given = Answer.YES if replaces else Answer.NO
    tx.links.answer(question.object_id, question.other_id, given, by=by, at=now)
    body = {"newer": newer, "older": older, "answer": given.value}
    _audit(journal, by, "answer", body, study_uid=study_uid)
    journal.tell_question(replace(question, answer=given))
    if replaces:
        tx.links.add(replace(question, kind=LinkKind.SUPERSEDES, decided_by=by, decided_at=now))
    else:
        for following in ask_again(tx, study_uid, question.other_id, now):
            journal.tell_question(following)
    journal.tell_study(study)


def override(journal: Journal, found: StoredObject, said: Override) -> None:
    """Put a person's band over the machine's.

    Raises:
        StudyStateError: the object has no verdict yet.
    """
    object_id = found.received.object_id
    if not journal.tx.verdicts.exists(object_id):
        raise StudyStateError("There is no verdict to override yet; wait for it.")
    journal.tx.overrides.add(object_id, said)
    body = {"band": said.band.value, "reason": said.reason}
    _audit(journal, said.by, "override", body, found=found)
    _tell_override(journal, found)


def revoke_override(journal: Journal, found: StoredObject, by: str) -> None:
    """Let the machine's band count again.

    Raises:
        StudyStateError: there is no override.
    """
    if not journal.tx.overrides.revoke(found.received.object_id, by, journal.now):
        raise StudyStateError("There is no override to take back.")
    _audit(journal, by, "revoke_override", {}, found=found)
    _tell_override(journal, found)


def reject(journal: Journal, found: StoredObject, reason: str, by: str) -> None:
    """Note a person's word that an image is not to be used; its verdict stays as it is.

    Raises:
        StudyStateError: the object has no verdict yet, or belongs to no study.
    """
    object_id, study = found.received.object_id, _study_of(journal, found)
    if study is None or not journal.tx.verdicts.exists(object_id):
        raise StudyStateError("There is no judged image to reject yet; wait for its verdict.")
    row = RejectionRow(object_id=object_id, reason=reason, by=by, at=journal.now)
    journal.tx.rejections.add(row)
    _audit(journal, by, "reject", {"reason": reason}, found=found)
    journal.tell_study(study)


def revoke_rejection(journal: Journal, found: StoredObject, by: str) -> None:
    """Let an image be used again.

    Raises:
        StudyStateError: nobody rejected it.
    """
    if not journal.tx.rejections.revoke(found.received.object_id, by, journal.now):
        raise StudyStateError("There is no rejection to take back.")
    _audit(journal, by, "revoke_rejection", {}, found=found)
    study = _study_of(journal, found)
    if study is not None:
        journal.tell_study(study)


def _study_of(journal: Journal, found: StoredObject) -> StudyRow | None:
    study_uid = found.study_instance_uid
    return journal.tx.studies.get(study_uid) if study_uid else None


def _tell_override(journal: Journal, found: StoredObject) -> None:
    """Link anew by the band that counts now, then tell."""
    tx, study_uid = journal.tx, found.study_instance_uid
    study = tx.studies.get(study_uid) if study_uid else None
    if study is not None:
        relations = relate(tx, study.study_instance_uid, found.received.object_id, journal.now)
        for question in relations.questions:
            journal.tell_question(question)
    stored = tx.verdicts.read(found)
    if stored is not None:
        journal.tell_verdict(EventKind.OVERRIDE, stored)
    if study is not None:
        journal.tell_study(study)


def _open_question(journal: Journal, study_uid: str, newer: int, older: int) -> Link:
    studies = journal.tx.studies
    pair = (studies.object_id_of(study_uid, newer), studies.object_id_of(study_uid, older))
    for link in journal.tx.links.open_questions(study_uid):
        if (link.object_id, link.other_id) == pair:
            return link
    raise StudyStateError(f"Whether image {newer} replaces image {older} is not an open question.")


def _audit(
    journal: Journal,
    by: str,
    action: str,
    body: Body,
    *,
    found: StoredObject | None = None,
    study_uid: str | None = None,
) -> None:
    journal.tx.audit.append(
        AuditEntry(
            at=journal.now,
            by=by,
            action=action,
            study_uid=found.study_instance_uid if found else study_uid,
            object_id=found.received.object_id if found else None,
            body=body,
        )
    )
