"""What of an image an adviser may be shown, read off the database."""

from dataclasses import dataclass

from sonogate.act.advice.plates import Order
from sonogate.domain.verdict import FindingRegion, Status, Verdict
from sonogate.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One judged image with a thumbnail."""

    object_id: str
    study_uid: str | None
    codes: frozenset[str]  #: of its findings
    order: Order
    attempts: int = 1  #: this one included


def exhibit_of(tx: Transaction, object_id: str, attempts: int = 1) -> Exhibit | None:
    """Return what may be shown of an object; None if it was not graded, or has no thumbnail."""
    verdict, pictures = tx.verdicts.machine(object_id), tx.pictures.get(object_id)
    found = tx.objects.get(object_id)
    if verdict is None or found is None or verdict.status is not Status.GRADED:
        return None
    if pictures is None or pictures.thumbnail is None:
        return None
    region = _worst(verdict)
    return Exhibit(
        object_id=object_id,
        study_uid=found.study_instance_uid,
        codes=frozenset(finding.code for finding in verdict.findings),
        order=Order(
            thumbnail=pictures.thumbnail,
            heatmap=pictures.heatmap,
            region=(region.x, region.y, region.width, region.height) if region else None,
        ),
        attempts=attempts,
    )


def _worst(verdict: Verdict) -> FindingRegion | None:
    """Return where the worst finding is that is somewhere; findings stand the worst first."""
    return next((each.region for each in verdict.findings if each.region), None)
