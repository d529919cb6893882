"""What the gate made of a study for the archive."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from sonogate.api.dependencies import ResultsDep
from sonogate.api.schemas import UidPath
from sonogate.store.results import ResultRow

router = APIRouter(prefix="/v1", tags=["results"])


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


@router.get("/studies/{study_uid}/results", summary="List what was made of a study")
async def list_results(study_uid: UidPath, results: ResultsDep) -> list[Result]:
    """Return every structured report and key object selection of a study, oldest first."""
    return [_shown(row) for row in await results.of_study(study_uid)]


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
