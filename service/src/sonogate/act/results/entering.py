"""Enter what was made: rows, what is owed to destinations, what an archive is to be told."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydicom.uid import ExplicitVRLittleEndian

from sonogate.act.results.drafts import Draft
from sonogate.act.results.gathering import Gathered
from sonogate.store.forward_records import Destinations, MadeResult
from sonogate.store.results import OwedResults, ResultRow
from sonogate.store.transaction import Transaction


def enter(
    tx: Transaction,
    owed: OwedResults,
    gathered: Gathered,
    *,
    ended: Sequence[ResultRow],
    made: Sequence[tuple[Draft, ResultRow]],
    destinations: Destinations,
) -> None:
    """Note in one transaction what was made and what ended, and owe both on.

    Args:
        tx: the transaction.
        owed: what was asked for; asked for again meanwhile, it stays owed.
        gathered: what the results were made of.
        ended: results that are not true any more and nothing replaces.
        made: results whose files are durable.
        destinations: who may want them.
    """
    now = datetime.now(UTC)
    for row in ended:
        tx.results.end(row.study_instance_uid, row.kind, row.object_id, now)
        tx.forwards.withdraw_result(row.result_id, now)
        if row.kind == "rejection":
            tx.rejections.call_back(row.object_id, now)
    names = {image.sop_instance_uid: image for image in gathered.facts.images}
    for draft, row in made:
        tx.results.add(row)
        tx.forwards.enqueue_result(_to_forward(row), destinations, now)
        if row.kind == "rejection" and draft.by_person:
            image = names[draft.order.facts.images[0].sop_instance_uid]
            uids = (row.study_instance_uid, image.series_instance_uid, image.sop_instance_uid)
            tx.rejections.call(row.object_id, uids, now)
    tx.results.settled(owed)


def _to_forward(row: ResultRow) -> MadeResult:
    return MadeResult(
        result_id=row.result_id,
        file_name=row.file_name,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        study_instance_uid=row.study_instance_uid,
    )
