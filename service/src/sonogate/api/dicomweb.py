"""QIDO-RS and WADO-RS for the gate's own results alone (PS3.18 10.4, 10.6).

A result names the patient, so it is behind the same token as everything else; what a search answers
holds no patient data.
"""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from sonogate.api.dependencies import ResultsDep
from sonogate.api.dicom_json import JSON, DataSet, element
from sonogate.api.problems import Problem
from sonogate.api.schemas import ErrorBody, UidPath
from sonogate.store.results import ResultRow

router = APIRouter(
    prefix="/dicomweb",
    tags=["dicomweb"],
    responses={404: {"model": ErrorBody, "description": "The gate made no such result."}},
)

MODALITIES = {"report": "SR"}
ONE = "/studies/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}"
DICOM = "application/dicom"
PARTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The object.", "content": {"multipart/related": {}, DICOM: {}}},
    406: {"model": ErrorBody, "description": "Accept allows neither multipart nor DICOM."},
}


class DicomJson(JSONResponse):
    """DICOM JSON."""

    media_type = JSON


@router.get("/studies/{study_uid}/instances", summary="Search results of a study (QIDO-RS)")
@router.get("/studies/{study_uid}/series/{series_uid}/instances", include_in_schema=False)
async def search_study(
    study_uid: UidPath, request: Request, results: ResultsDep, series_uid: str | None = None
) -> Response:
    """List the gate's results of a study; earlier versions too, in the order they were made."""
    rows = await results.of_study(study_uid)
    return _listed(
        request,
        [
            row
            for row in rows
            if row.bytes_gone_at is None and series_uid in {None, row.series_instance_uid}
        ],
    )


@router.get("/instances", summary="Search all results (QIDO-RS)")
async def search_all(
    request: Request,
    results: ResultsDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """List the gate's results, the newest first."""
    return _listed(request, await results.latest(limit, offset))


@router.get("/studies/{study_uid}/metadata", summary="Read the results of a study (WADO-RS)")
async def read_study_metadata(study_uid: UidPath, results: ResultsDep) -> Response:
    """Return every attribute of each result of a study that holds now."""
    rows = [row for row in await results.of_study(study_uid) if row.ended_at is None]
    return DicomJson([await results.metadata(row) for row in rows if row.bytes_gone_at is None])


@router.get(f"{ONE}/metadata", summary="Read one result's attributes (WADO-RS)")
async def read_metadata(
    study_uid: UidPath, series_uid: UidPath, sop_instance_uid: UidPath, results: ResultsDep
) -> Response:
    """Return every attribute of a result as DICOM JSON; there is no bulk data."""
    row = await results.find(study_uid, series_uid, sop_instance_uid)
    return DicomJson([await results.metadata(row)])


@router.get(ONE, summary="Retrieve one result (WADO-RS)", responses=PARTS, response_class=Response)
async def read_instance(
    study_uid: UidPath,
    series_uid: UidPath,
    sop_instance_uid: UidPath,
    request: Request,
    results: ResultsDep,
) -> Response:
    """Return a result's Part 10 file: in a multipart, or bare where only that is accepted."""
    is_multipart = _wants_multipart(request.headers.get("accept"))
    row = await results.find(study_uid, series_uid, sop_instance_uid)
    content = await results.content(row)
    if not is_multipart:
        return Response(content, media_type=DICOM)
    boundary = uuid.uuid4().hex
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode(),
            content,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    return Response(body, media_type=f'multipart/related; type="{DICOM}"; boundary={boundary}')


def _wants_multipart(accept: str | None) -> bool:
    """Choose between the two forms; PS3.18 8.7.4: multipart unless only the bare one is allowed."""
    offered = {one.partition(";")[0].strip().lower() for one in (accept or "*/*").split(",")}
    if offered & {"multipart/related", "multipart/*", "*/*"}:
        return True
    if offered & {DICOM, "application/*"}:
        return False
    raise Problem(406, "not_acceptable", "Accept allows no form of it.", f"Accept {DICOM}.")


def _listed(request: Request, rows: list[ResultRow]) -> Response:
    wanted = request.query_params
    kept = [
        row
        for row in rows
        if wanted.get("SOPClassUID", row.sop_class_uid) == row.sop_class_uid
        and wanted.get("StudyInstanceUID", row.study_instance_uid) == row.study_instance_uid
        and wanted.get("Modality", _modality(row)) == _modality(row)
    ]
    base = str(request.base_url).rstrip("/")
    return DicomJson([_item(row, base) for row in kept])


def _modality(row: ResultRow) -> str:
    return MODALITIES.get(row.kind, "KO")


def _item(row: ResultRow, base: str) -> DataSet:
    place = ONE.format(
        study_uid=row.study_instance_uid,
        series_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
    )
    return {
        "00080016": element("UI", row.sop_class_uid),
        "00080018": element("UI", row.sop_instance_uid),
        "00080056": element("CS", "ONLINE"),
        "00080060": element("CS", _modality(row)),
        "00081190": element("UR", f"{base}/dicomweb{place}"),
        "0020000D": element("UI", row.study_instance_uid),
        "0020000E": element("UI", row.series_instance_uid),
        "00200013": element("IS", row.version),
    }
