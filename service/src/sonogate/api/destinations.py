"""Destinations: what they have not got yet, whether they work, and how far a study is."""

from typing import Annotated

from fastapi import APIRouter, Path

from sonogate.api.dependencies import PortsDep
from sonogate.api.schemas import CALLER, ErrorBody, Signature, UidPath
from sonogate.domain.forwarding import DestinationReport, StudyForwards

router = APIRouter(prefix="/v1", tags=["destinations"])

NamePath = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="Its name in the settings.")
]


@router.get("/destinations", summary="See how objects are passed on")
async def list_destinations(ports: PortsDep) -> list[DestinationReport]:
    """Return each destination's queue and whether it works, in the order of the settings."""
    return list(await ports.forwarding.destinations()) if ports.forwarding else []


@router.post(
    "/destinations/{name}/retry",
    summary="Try what a destination refused again",
    responses={404: {"model": ErrorBody, "description": "No such destination."}},
)
async def retry_destination(
    name: NamePath, ports: PortsDep, signature: Signature | None = None
) -> DestinationReport:
    """Owe again what was refused, and try all that waits now; for after something was mended."""
    return await ports.need_forwarding().retry(name, signature.by if signature else CALLER)


@router.get(
    "/studies/{study_uid}/forwards",
    summary="See how far a study is passed on",
    responses={404: {"model": ErrorBody, "description": "Never received."}},
)
async def read_study_forwards(study_uid: UidPath, ports: PortsDep) -> list[StudyForwards]:
    """Return the study's objects at each destination, by where they stand."""
    await ports.studies.get(study_uid)
    return list(await ports.forwarding.of_study(study_uid)) if ports.forwarding else []
