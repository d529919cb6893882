"""Which images are rejected now, for the results and for whoever looks at a study."""

from dataclasses import dataclass
from datetime import datetime

from sonogate.act.results.codes import REASONS, reason_of
from sonogate.act.results.naming import is_judged_image, is_named
from sonogate.domain.rejection import Rejection, Through
from sonogate.domain.verdict import Band, Override, Ruling
from sonogate.settings.results import RejectBy
from sonogate.store.records import InstanceRow
from sonogate.store.rejections import RejectionRow
from sonogate.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What people and links say of one image."""

    called: RejectionRow | None
    override: Override | None
    is_replaced: bool


def rejection_of(row: InstanceRow, said: Said, reject_by: RejectBy) -> Rejection | None:
    """Say who rejected an image: a person's call, a person's override to low, or the policy."""
    if said.called is not None:
        called = said.called
        return _rejection(called.reason, Through.CALL, called.by, called.at)
    reason = reason_of([finding.code for finding in row.verdict.findings])
    override = said.override
    if override is not None:
        is_called_low = override.band is Ruling.LOW and not _settles_a_doubt(row)
        if reject_by == "call" or not is_called_low:
            return None
        return _rejection(reason, Through.OVERRIDE, override.by, override.at)
    is_low = row.effective_band is Band.LOW and said.is_replaced
    decided_at = row.verdict.verdict_at or row.verdict.received_at
    if reject_by == "policy" and is_low and decided_at is not None:
        return _rejection(reason, Through.POLICY, "policy", decided_at)
    return None


def rejected(tx: Transaction, study_uid: str, reject_by: RejectBy) -> dict[str, Rejection]:
    """Return the rejections that hold in a study and lead to a note, by object id."""
    calls = tx.rejections.active_of_study(study_uid)
    overrides = tx.overrides.active_of_study(study_uid)
    replaced = {link.other_id for link in tx.links.supersedes(study_uid)}
    holding: dict[str, Rejection] = {}
    for row in tx.studies.instances(study_uid):
        said = Said(
            called=calls.get(row.object_id),
            override=overrides.get(row.object_id),
            is_replaced=row.object_id in replaced,
        )
        rejection = rejection_of(row, said, reject_by)
        found = tx.objects.get(row.object_id) if rejection else None
        if rejection and found and is_judged_image(row, found) and is_named(found):
            holding[row.object_id] = rejection
    return holding


def _rejection(reason: str, through: Through, by: str, at: datetime) -> Rejection:
    return Rejection(reason=reason, meaning=REASONS[reason].meaning, through=through, by=by, at=at)


def _settles_a_doubt(row: InstanceRow) -> bool:
    """Whether a person's "low" only says that a low in doubt is an image: no call to reject it."""
    return row.verdict.doubt is not None and row.verdict.band is Band.LOW
