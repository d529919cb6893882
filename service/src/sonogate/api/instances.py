"""One SOP instance: its verdict, its pictures, and a person's word over the machine's."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from sonogate.api.changes import count_override, tell
from sonogate.api.dependencies import PortsDep, StudiesDep
from sonogate.api.schemas import (
    CALLER,
    ErrorBody,
    OverrideRequest,
    Signature,
    UidPath,
    Version,
)
from sonogate.api.wording import WordingDep
from sonogate.domain.verdict import Verdict

router = APIRouter(
    prefix="/v1/instances/{sop_instance_uid}",
    tags=["instances"],
    responses={404: {"model": ErrorBody, "description": "Never received."}},
)

PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "PNG."}}
ContentHash = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9a-f]{64}$",
        description="Ask for the verdict of one content, where several objects share the UID.",
    ),
]


class PngResponse(Response):
    """A PNG image."""

    media_type = "image/png"


@router.get("", summary="Read a verdict")
async def read_instance(
    sop_instance_uid: UidPath,
    studies: StudiesDep,
    wording: WordingDep,
    content_sha256: ContentHash = None,
) -> Verdict:
    """Return the verdict of the latest content under this UID; `pending` until it is judged."""
    return wording.verdict(await studies.instance(sop_instance_uid, content_sha256))


@router.get("/versions", summary="Read all verdicts of a UID in conflict")
async def read_versions(
    sop_instance_uid: UidPath, studies: StudiesDep, wording: WordingDep
) -> list[Version]:
    """Return every content received under this SOP instance UID, with its verdict."""
    pairs = await studies.versions(sop_instance_uid)
    return [
        Version(content_sha256=sha256, verdict=wording.verdict(verdict))
        for sha256, verdict in pairs
    ]


@router.get("/thumbnail.png", summary="See the image", response_class=PngResponse, responses=PNG)
async def read_thumbnail(sop_instance_uid: UidPath, studies: StudiesDep) -> Response:
    """Return the scan of the worst frame, small and grey, masked: no patient text."""
    return PngResponse(await studies.picture(sop_instance_uid, "thumbnail"))


@router.get(
    "/heatmap.png", summary="See where it is bad", response_class=PngResponse, responses=PNG
)
async def read_heatmap(sop_instance_uid: UidPath, studies: StudiesDep) -> Response:
    """Return a transparent overlay of the thumbnail's size: the more opaque, the worse."""
    return PngResponse(await studies.picture(sop_instance_uid, "heatmap"))


@router.post("/override", summary="Overrule the machine")
async def override_instance(
    sop_instance_uid: UidPath, wish: OverrideRequest, ports: PortsDep, wording: WordingDep
) -> Verdict:
    """Put a person's band over the machine's: audited, reversible; both stay readable."""
    before = await ports.studies.instance(sop_instance_uid)
    verdict = await ports.studies.override(sop_instance_uid, wish.band, wish.reason, wish.by)
    count_override(ports, before, verdict)
    tell(ports)
    return wording.verdict(verdict)


@router.delete("/override", summary="Take an override back")
async def revoke_override(
    sop_instance_uid: UidPath,
    ports: PortsDep,
    wording: WordingDep,
    signature: Signature | None = None,
    by: Annotated[str, Query(max_length=64, description="As in the body, which counts.")] = "",
) -> Verdict:
    """Let the machine's band count again; the audit trail keeps both."""
    who = signature.by if signature else by.strip() or CALLER
    verdict = await ports.studies.revoke_override(sop_instance_uid, who)
    tell(ports)
    return wording.verdict(verdict)
