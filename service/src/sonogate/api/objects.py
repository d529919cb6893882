"""One object by our own id: for pictures, which have no UID, and for each side of a conflict."""

from fastapi import APIRouter, Response

from sonogate.api.dependencies import StudiesDep
from sonogate.api.instances import PNG, PngResponse
from sonogate.api.schemas import ErrorBody, ObjectIdPath
from sonogate.api.wording import WordingDep
from sonogate.domain.verdict import Verdict

router = APIRouter(
    prefix="/v1/objects/{object_id}",
    tags=["objects"],
    responses={404: {"model": ErrorBody, "description": "Never received."}},
)


@router.get("", summary="Read an object's verdict")
async def read_object(object_id: ObjectIdPath, studies: StudiesDep, wording: WordingDep) -> Verdict:
    """Return the verdict of one received object; `pending` until it is judged."""
    return wording.verdict(await studies.verdict_of_object(object_id))


@router.get("/thumbnail.png", summary="See the object", response_class=PngResponse, responses=PNG)
async def read_thumbnail(object_id: ObjectIdPath, studies: StudiesDep) -> Response:
    """Return the scan of the worst frame, small, grey and masked."""
    return PngResponse(await studies.picture_of_object(object_id, "thumbnail"))


@router.get(
    "/heatmap.png", summary="See where it is bad", response_class=PngResponse, responses=PNG
)
async def read_heatmap(object_id: ObjectIdPath, studies: StudiesDep) -> Response:
    """Return a transparent overlay of the thumbnail's size: the more opaque, the worse."""
    return PngResponse(await studies.picture_of_object(object_id, "heatmap"))
