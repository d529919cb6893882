"""What is new to say of a study, and what is not true any more; pure but for the rows it reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sonogate.act.results.facts import (
    Earlier,
    ImageFacts,
    Kind,
    Order,
    Place,
    StudyFacts,
    advised,
    digest,
    only,
)
from sonogate.act.results.gathering import Gathered
from sonogate.settings import ResultsSettings
from sonogate.store.results import ResultRow

SERIES: Final[Mapping[Kind, int]] = {"report": 0, "advice": 1, "rejection": 2}
"""Added to the series number of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One result to write."""

    order: Order
    object_id: str  #: the rejected object; "" for a result about the study
    facts_sha256: str
    by_person: bool = True  #: False: a rejection by the site's policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a change of a study asks for."""

    drafts: tuple[Draft, ...]
    ended: tuple[ResultRow, ...]  #: results that nothing takes the place of


def plan(
    gathered: Gathered,
    settings: ResultsSettings,
    *,
    device: str,
    said_at: datetime,
    sources: tuple[Place, ...],
) -> Work:
    """Compare what there is to say with what was said."""
    holding = {(row.kind, row.object_id): row for row in gathered.earlier if row.ended_at is None}
    versions = {(row.kind, row.object_id): row.version for row in gathered.earlier}
    said = {(row.kind, row.object_id): row for row in gathered.earlier}
    drafts, kept = [], set()
    for kind, object_id, facts in _statements(gathered, settings):
        key, facts_sha256 = (kind, object_id), digest(kind, facts)
        kept.add(key)
        holds = holding.get(key)
        if holds is not None and holds.facts_sha256 == facts_sha256:
            continue
        order = Order(
            kind=kind,
            version=versions.get(key, 0) + 1,
            facts=facts,
            said_at=said_at,
            sources=sources,
            earlier=_earlier(said.get(key)) if kind == "report" else None,
            series_number=settings.series_number + SERIES[kind],
            device=device,
        )
        by_person = all(
            image.rejection is None or image.rejection.by_person for image in facts.images
        )
        drafts.append(
            Draft(order=order, object_id=object_id, facts_sha256=facts_sha256, by_person=by_person)
        )
    ended = tuple(row for key, row in holding.items() if key not in kept and key[0] != "report")
    return Work(drafts=tuple(drafts), ended=ended)


def _statements(
    gathered: Gathered, settings: ResultsSettings
) -> Iterator[tuple[Kind, str, StudyFacts]]:
    facts = gathered.facts
    if "report" in settings.objects and facts.images:
        yield "report", "", facts
    to_retake = advised(facts)
    if "advice" in settings.objects and to_retake:
        yield "advice", "", only(facts, to_retake)
    if "rejection" in settings.objects:
        for image in facts.images:
            if image.rejection is not None:
                yield "rejection", gathered.object_ids[image.sop_instance_uid], _one(facts, image)


def _one(facts: StudyFacts, image: ImageFacts) -> StudyFacts:
    return only(facts, [image])


def _earlier(row: ResultRow | None) -> Earlier | None:
    if row is None:
        return None
    return Earlier(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        series_instance_uid=row.series_instance_uid,
    )
