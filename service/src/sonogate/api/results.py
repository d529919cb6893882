"""What the gate made of a study for the archive, and a person's word against an image."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sonogate.act.results.codes import REASONS
from sonogate.api.changes import tell
from sonogate.api.dependencies import ApiPorts, PortsDep, ResultsDep
from sonogate.api.problems import Problem
from sonogate.api.schemas import CALLER, ErrorBody, Person, Signature, UidPath
from sonogate.domain.verdict import Verdict
from sonogate.store.results import ResultRow

router = APIRouter(prefix="/v1", tags=["results"])

RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "Never received."},
    409: {"model": ErrorBody, "description": "Rejections are off, or there is nothing to reject."},
}
Reason = Annotated[str, StringConstraints(pattern=f"^({'|'.join(REASONS)})$")]
"""A code value of CID 7011."""


class Result(BaseModel):
    """One DICOM object that the gate made."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["report", "advice", "rejection"]
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    version: int = Field(description="Of this kind, within the study; from 1.")
    made_at: datetime
    holds: bool = Field(description="Neither superseded nor taken back.")
    retrieve_path: str | None = Field(description="Where it is; null once its time is over.")


class RejectionRequest(BaseModel):
    """A person's word that an image is not to be used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason = Field(description='Why: a code value of CID 7011, for instance "111210".')
    by: Person = CALLER


@router.get("/studies/{study_uid}/results", summary="List what was made of a study")
async def list_results(study_uid: UidPath, results: ResultsDep) -> list[Result]:
    """Return every structured report and key object selection of a study, oldest first."""
    return [_shown(row) for row in await results.of_study(study_uid)]


@router.post(
    "/instances/{sop_instance_uid}/rejection", summary="Reject an image", responses=RESPONSES
)
async def reject_instance(
    sop_instance_uid: UidPath, wish: RejectionRequest, ports: PortsDep
) -> Verdict:
    """Confirm that an image is not to be used: at the study's close its rejection is sent.

    An archive hides a rejected image from everyday use; it can be taken back.
    """
    _check_on(ports)
    verdict = await ports.studies.reject(sop_instance_uid, wish.reason, wish.by)
    tell(ports)
    return verdict


@router.delete(
    "/instances/{sop_instance_uid}/rejection", summary="Take a rejection back", responses=RESPONSES
)
async def revoke_rejection(
    sop_instance_uid: UidPath,
    ports: PortsDep,
    by: Annotated[str, Query(max_length=64, description="As in the body, which counts.")] = "",
    signature: Signature | None = None,
) -> Verdict:
    """Let the image count again: a new report says so, and the archive is told where it can be."""
    _check_on(ports)
    who = signature.by if signature else by.strip() or CALLER
    verdict = await ports.studies.revoke_rejection(sop_instance_uid, who)
    tell(ports)
    return verdict


def _check_on(ports: ApiPorts) -> None:
    if ports.results is None or not ports.results.takes_rejections:
        raise Problem(
            409,
            "rejections_off",
            "This gate sends no rejections.",
            'Set results.enabled = true and add "rejection" to results.objects.',
        )


def _shown(row: ResultRow) -> Result:
    place = (
        f"/dicomweb/studies/{row.study_instance_uid}/series/{row.series_instance_uid}"
        f"/instances/{row.sop_instance_uid}"
    )
    return Result.model_validate(
        {
            "kind": row.kind,
            "sop_class_uid": row.sop_class_uid,
            "sop_instance_uid": row.sop_instance_uid,
            "series_instance_uid": row.series_instance_uid,
            "version": row.version,
            "made_at": row.made_at,
            "holds": row.ended_at is None,
            "retrieve_path": place if row.bytes_gone_at is None else None,
        }
    )
