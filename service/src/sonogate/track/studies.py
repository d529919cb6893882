"""What the doors ask of the tracker: verdicts, studies, and people's words."""

import builtins
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from sonogate.domain.rejection import Rejection
from sonogate.domain.study import Study, StudyStatus, StudySummary
from sonogate.domain.verdict import Override, Ruling, Status, Verdict
from sonogate.errors import StudyStateError, UnknownInstanceError, UnknownStudyError
from sonogate.settings import TrackSettings
from sonogate.store.database import Database
from sonogate.store.records import (
    DeliveryTargets,
    QueueReport,
    SenderReport,
    StoredObject,
    StudyRow,
)
from sonogate.store.transaction import Transaction
from sonogate.track import decisions, lateness
from sonogate.track.journal import Journal
from sonogate.track.summary import describe, summarise

T = TypeVar("T")
PictureKind = Literal["thumbnail", "heatmap"]
Rejected = Callable[[Transaction, str], Mapping[str, Rejection]]
"""Returns the rejections that hold in a study, by object id."""
NOTHING_TO_REJECT = "No note can reject this object: it is no judged image, or its UIDs are none."


async def _at_once() -> None:
    return None


def _nothing_rejected(_tx: Transaction, _study_uid: str) -> Mapping[str, Rejection]:
    return {}


class Studies:
    """Studies and verdicts over the database.

    Args:
        database: an open database.
        targets: receivers who are told of overrides, answers and closings.
        settings: when a sender counts as late.
        caught_up: awaited before every answer: what was acknowledged is in the database then.
        rejected: which images of a study are rejected.
    """

    def __init__(
        self,
        database: Database,
        targets: DeliveryTargets | None = None,
        settings: TrackSettings | None = None,
        caught_up: Callable[[], Awaitable[None]] = _at_once,
        rejected: Rejected = _nothing_rejected,
    ) -> None:
        self._database = database
        self._targets = targets or DeliveryTargets()
        self._settings = settings or TrackSettings()
        self._caught_up = caught_up
        self._rejected = rejected

    async def instance(self, uid: str, content_sha256: str | None = None) -> Verdict:
        """Return the verdict of the latest content of a UID, or of one content.

        Raises:
            UnknownInstanceError: no such object was received.
        """
        return await self._read(lambda tx: _verdict(tx, _find(tx, uid, content_sha256)))

    async def versions(self, uid: str) -> builtins.list[tuple[str, Verdict]]:
        """Return (content_sha256, verdict) of every content of a UID, in order of arrival.

        Raises:
            UnknownInstanceError: no such object was received.
        """

        def work(tx: Transaction) -> builtins.list[tuple[str, Verdict]]:
            found = tx.objects.versions(uid) if uid else []
            if not found:
                raise UnknownInstanceError
            return [(each.received.content_sha256, _verdict(tx, each)) for each in found]

        return await self._read(work)

    async def verdict_of_object(self, object_id: str) -> Verdict:
        """Return the verdict of one received object; pending if it has none yet.

        Raises:
            UnknownInstanceError: no such object was received.
        """
        return await self._read(lambda tx: _verdict(tx, tx.objects.get(object_id)))

    async def picture(self, uid: str, kind: PictureKind) -> bytes:
        """Return a PNG of the latest content of a UID.

        Raises:
            UnknownInstanceError: no such object was received, or it has no such picture.
        """
        return await self._read(lambda tx: _picture(tx, _find(tx, uid, None), kind))

    async def picture_of_object(self, object_id: str, kind: PictureKind) -> bytes:
        """Return a PNG of one received object.

        Raises:
            UnknownInstanceError: no such object was received, or it has no such picture.
        """
        return await self._read(lambda tx: _picture(tx, tx.objects.get(object_id), kind))

    async def list(
        self, status: StudyStatus | None = None, limit: int = 100
    ) -> builtins.list[StudySummary]:
        """Return studies, the latest received first."""
        return await self._read(
            lambda tx: [summarise(tx, study) for study in tx.studies.latest(status, limit)]
        )

    async def get(self, study_uid: str) -> Study:
        """Return one study with all its instances.

        Raises:
            UnknownStudyError: nothing of this study was received.
        """
        return await self._read(lambda tx: self._describe(tx, study_uid))

    async def close(self, study_uid: str, by: str) -> Study:
        """Close a study by hand, ready or not; closing a closed one changes nothing.

        Raises:
            UnknownStudyError: nothing of this study was received.
        """
        return await self._change(
            study_uid,
            lambda journal, study: decisions.close(journal, study, by),
        )

    async def answer(
        self, study_uid: str, newer: int, older: int, *, replaces: bool, by: str
    ) -> Study:
        """Answer whether image `newer` replaces image `older`; yes clears the earlier low.

        Raises:
            UnknownStudyError: nothing of this study was received.
            StudyStateError: no such question is open.
        """
        return await self._change(
            study_uid,
            lambda journal, study: decisions.answer(
                journal, study, newer=newer, older=older, replaces=replaces, by=by
            ),
        )

    async def override(self, uid: str, band: Ruling, reason: str, by: str) -> Verdict:
        """Put a person's band over the machine's; audited and reversible.

        Raises:
            UnknownInstanceError: no such object was received.
            StudyStateError: it has no verdict yet.
        """

        def decide(journal: Journal, found: StoredObject) -> None:
            said = Override(band=band, reason=reason, by=by, at=journal.now)
            decisions.override(journal, found, said)

        return await self._decide(uid, decide)

    async def revoke_override(self, uid: str, by: str) -> Verdict:
        """Let the machine's band count again; audited.

        Raises:
            UnknownInstanceError: no such object was received.
            StudyStateError: there is no override.
        """
        return await self._decide(
            uid, lambda journal, found: decisions.revoke_override(journal, found, by)
        )

    async def reject(self, uid: str, reason: str, by: str) -> Verdict:
        """Note a person's word that an instance is not to be used; audited and reversible.

        Args:
            uid: SOP Instance UID.
            reason: code value in CID 7011.
            by: who says so.

        Raises:
            UnknownInstanceError: no such object was received.
            StudyStateError: it has no verdict yet, or no rejection note can speak of it.
        """

        def decide(journal: Journal, found: StoredObject) -> None:
            decisions.reject(journal, found, reason, by)
            if self._rejection(journal.tx, found) is None:
                raise StudyStateError(NOTHING_TO_REJECT)

        return await self._decide(uid, decide)

    async def revoke_rejection(self, uid: str, by: str) -> Verdict:
        """Let an instance be used again; audited.

        Raises:
            UnknownInstanceError: no such object was received.
            StudyStateError: nobody rejected it.
        """
        return await self._decide(
            uid, lambda journal, found: decisions.revoke_rejection(journal, found, by)
        )

    async def rejection(self, uid: str) -> Rejection | None:
        """Return the rejection that holds for the latest content of a UID; None if none does.

        Raises:
            UnknownInstanceError: no such object was received.
        """
        return await self._read(lambda tx: self._rejection(tx, _find(tx, uid, None)))

    async def senders(self) -> builtins.list[SenderReport]:
        """Return how each sender sends, by name."""
        return await self._database.read(
            lambda tx: [lateness.report(sender, self._settings) for sender in tx.senders.all()]
        )

    async def queue(self) -> QueueReport:
        """Return how many objects wait for a verdict, and since when the oldest does."""
        return await self._database.read(lambda tx: tx.objects.queue())

    async def _read(self, work: Callable[[Transaction], T]) -> T:
        await self._caught_up()
        return await self._database.read(work)

    async def _change(self, study_uid: str, change: Callable[[Journal, StudyRow], None]) -> Study:
        def work(tx: Transaction) -> Study:
            change(self._journal(tx), _study(tx, study_uid))
            return self._describe(tx, study_uid)

        await self._caught_up()
        return await self._database.write(work)

    async def _decide(self, uid: str, decide: Callable[[Journal, StoredObject], None]) -> Verdict:
        def work(tx: Transaction) -> Verdict:
            found = _find(tx, uid, None)
            decide(self._journal(tx), found)
            return _verdict(tx, found)

        await self._caught_up()
        return await self._database.write(work)

    def _rejection(self, tx: Transaction, found: StoredObject) -> Rejection | None:
        study_uid = found.study_instance_uid
        rejections = self._rejected(tx, study_uid) if study_uid else {}
        return rejections.get(found.received.object_id)

    def _journal(self, tx: Transaction) -> Journal:
        return Journal(tx=tx, now=datetime.now(UTC), targets=self._targets)

    def _describe(self, tx: Transaction, study_uid: str) -> Study:
        study, rejections = _study(tx, study_uid), self._rejected(tx, study_uid)
        return describe(tx, study, self._settings, rejections)


def _study(tx: Transaction, study_uid: str) -> StudyRow:
    study = tx.studies.get(study_uid)
    if study is None:
        raise UnknownStudyError
    return study


def _find(tx: Transaction, uid: str, content_sha256: str | None) -> StoredObject:
    """Find by UID; a plain picture has none, and is found by its object id only."""
    found = None
    if uid and content_sha256 is None:
        found = tx.objects.current(uid)
    elif uid and content_sha256 is not None:
        found = tx.objects.by_content(uid, content_sha256)
    if found is None:
        raise UnknownInstanceError
    return found


def _verdict(tx: Transaction, found: StoredObject | None) -> Verdict:
    if found is None:
        raise UnknownInstanceError
    stored = tx.verdicts.read(found)
    if stored is not None:
        return stored.verdict.advised(tx.advices.get(stored.object_id))
    return Verdict(
        status=Status.PENDING,
        sop_instance_uid=found.received.sop_instance_uid,
        received_at=found.received.provenance.received_at,
    )


def _picture(tx: Transaction, found: StoredObject | None, kind: PictureKind) -> bytes:
    pictures = tx.pictures.get(found.received.object_id) if found else None
    png: bytes | None = getattr(pictures, kind, None)
    if png is None:
        raise UnknownInstanceError(f"There is no {kind} of this instance.")
    return png
