"""Studies: what came, what still needs re-acquiring, whether one may close."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from sonogate.api.changes import count_close, count_replaced, tell
from sonogate.api.dependencies import PortsDep, StudiesDep
from sonogate.api.schemas import CALLER, Answer, ErrorBody, Sender, Signature, UidPath
from sonogate.api.wording import WordingDep
from sonogate.domain.study import Study, StudyStatus, StudySummary

Responses = dict[int | str, dict[str, Any]]


router = APIRouter(prefix="/v1", tags=["studies"])

NOT_FOUND: Responses = {404: {"model": ErrorBody, "description": "Never received."}}
NOT_NOW: Responses = {
    409: {"model": ErrorBody, "description": "The study's state does not allow it."}
}


@router.get("/studies", summary="List studies")
async def list_studies(
    studies: StudiesDep,
    status: Annotated[
        StudyStatus | None, Query(description="Only studies that stand here.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[StudySummary]:
    """Return studies, the latest received first."""
    return await studies.list(status, limit)


@router.get("/studies/{study_uid}", summary="Read a study", responses={**NOT_FOUND})
async def read_study(study_uid: UidPath, studies: StudiesDep, wording: WordingDep) -> Study:
    """Return a study: all verdicts, open questions, what to re-acquire, `ready_to_close`."""
    return wording.study(await studies.get(study_uid))


@router.post(
    "/studies/{study_uid}/close", summary="Close a study", responses={**NOT_FOUND, **NOT_NOW}
)
async def close_study(
    study_uid: UidPath, ports: PortsDep, wording: WordingDep, signature: Signature | None = None
) -> Study:
    """Close a study now instead of after the quiet time; a late image reopens it, visibly."""
    before = await ports.studies.get(study_uid)
    study = await ports.studies.close(study_uid, signature.by if signature else CALLER)
    count_close(ports, before.status, study)
    tell(ports)
    return wording.study(study)


@router.post(
    "/studies/{study_uid}/questions/{newer}",
    summary='Answer "does it replace image n?"',
    responses={**NOT_FOUND, **NOT_NOW},
)
async def answer_question(
    study_uid: UidPath,
    newer: Annotated[int, Path(ge=1, description="Number of the later instance.")],
    answer: Answer,
    ports: PortsDep,
    wording: WordingDep,
) -> Study:
    """Say whether the later image re-acquires the earlier one; yes clears the earlier low."""
    study = await ports.studies.answer(
        study_uid, newer, answer.older, replaces=answer.replaces, by=answer.by
    )
    if answer.replaces:
        count_replaced(ports)
    tell(ports)
    return wording.study(study)


@router.get("/senders", summary="See how carts send", tags=["senders"])
async def list_senders(studies: StudiesDep, wording: WordingDep) -> list[Sender]:
    """Return each sender's delay from acquisition to receipt, its clock, and what to change."""
    return [
        Sender.model_validate(report).model_copy(update={"advice": wording.sentence(report.advice)})
        for report in await studies.senders()
    ]
