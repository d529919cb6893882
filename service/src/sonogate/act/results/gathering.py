"""From rows to facts: what the gate now holds of a study's images, in one snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass

from sonogate.act.results.facts import ImageFacts, Rejection, Revocation, StudyFacts
from sonogate.act.results.naming import is_judged_image, is_named
from sonogate.act.results.rejecting import Said, rejection_of
from sonogate.domain.rejection import Through
from sonogate.domain.verdict import Override, Status
from sonogate.settings import ResultsSettings
from sonogate.settings.results import RejectBy
from sonogate.store.records import InstanceRow, StoredObject, StudyRow
from sonogate.store.rejections import RejectionRow
from sonogate.store.results import ResultRow
from sonogate.store.transaction import Transaction

MAX_IMAGES = 1000
"""Images of one report; a study of more is an error of the sender, and says its first thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A study as its results see it."""

    study: StudyRow
    facts: StudyFacts
    object_ids: Mapping[str, str]  #: object id by SOP Instance UID
    spool_names: tuple[str, ...]  #: of objects that name the patient
    earlier: tuple[ResultRow, ...]  #: every result made so far
    n_left_out: int  #: images under names that are no UIDs, or beyond the first thousand


@dataclass(frozen=True, slots=True)
class _Decisions:
    """What people and links made of the images."""

    overrides: Mapping[str, Override]
    rejections: Mapping[str, RejectionRow]
    replaced: frozenset[str]
    twins: frozenset[str]
    notes: Mapping[str, str]  #: UID of the latest rejection note, by object id
    reject_by: RejectBy


def gather(tx: Transaction, study_uid: str, settings: ResultsSettings) -> Gathered | None:
    """Collect what there is to say of a study; None if there is no such study."""
    row_of_study = tx.studies.get(study_uid)
    if row_of_study is None:
        return None
    earlier = tx.results.of_study(study_uid)
    decisions = _Decisions(
        overrides=tx.overrides.active_of_study(study_uid),
        rejections=tx.rejections.active_of_study(study_uid),
        replaced=frozenset(link.other_id for link in tx.links.supersedes(study_uid)),
        twins=frozenset(link.object_id for link in tx.links.twins(study_uid)),
        notes={row.object_id: row.sop_instance_uid for row in earlier if row.kind == "rejection"},
        reject_by=settings.reject_by,
    )
    images: list[ImageFacts] = []
    ids: dict[str, str] = {}
    names: list[str] = []
    n_left_out = 0
    for row in tx.studies.instances(study_uid):
        found = tx.objects.get(row.object_id)
        if found is None or not is_judged_image(row, found):
            continue
        names.append(found.received.spool_name)
        if len(images) == MAX_IMAGES or not is_named(found):
            n_left_out += 1
            continue
        image = _image(row, found, decisions)
        images.append(image)
        ids[image.sop_instance_uid] = row.object_id
    return Gathered(
        study=row_of_study,
        facts=StudyFacts(study_instance_uid=study_uid, images=tuple(images)),
        object_ids=ids,
        spool_names=tuple(names[:10]),
        earlier=tuple(earlier),
        n_left_out=n_left_out,
    )


def _image(row: InstanceRow, found: StoredObject, decisions: _Decisions) -> ImageFacts:
    object_id = row.object_id
    override = decisions.overrides.get(object_id)
    verdict = row.verdict.told(override)
    is_graded = verdict.counts_as is not Status.NOT_APPLICABLE
    rejection = _rejection(row, decisions)
    note = decisions.notes.get(object_id)
    return ImageFacts(
        number=row.number,
        sop_class_uid=found.received.sop_class_uid or "",
        sop_instance_uid=found.received.sop_instance_uid or "",
        series_instance_uid=found.header.series_instance_uid or "",
        n_frames=max(1, found.header.n_frames),
        status=verdict.status if is_graded else Status.NOT_APPLICABLE,
        band=verdict.effective_band,
        machine_band=verdict.band,
        quality=verdict.quality,
        uncertain=verdict.uncertain and override is None,
        in_doubt=verdict.is_in_doubt,
        findings=tuple(verdict.findings) if is_graded else (),
        frames=verdict.frames,
        model=verdict.model,
        policy_version=verdict.policy_version,
        by_person=override is not None,
        is_replaced=object_id in decisions.replaced,
        is_twin=object_id in decisions.twins,
        rejection=rejection,
        revocation=Revocation(rejected_by=note) if note and rejection is None else None,
    )


def _rejection(row: InstanceRow, decisions: _Decisions) -> Rejection | None:
    object_id = row.object_id
    said = Said(
        called=decisions.rejections.get(object_id),
        override=decisions.overrides.get(object_id),
        is_replaced=object_id in decisions.replaced,
    )
    holding = rejection_of(row, said, decisions.reject_by)
    if holding is None:
        return None
    by_person = holding.through is not Through.POLICY
    return Rejection(reason=holding.reason, by=holding.by, at=holding.at, by_person=by_person)
