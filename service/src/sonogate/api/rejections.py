"""A person's word that an image is not to be used: whether it is taken, why, of which images."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sonogate.act.results.codes import FINDINGS, FOR_X_RAY, REASONS
from sonogate.api.changes import tell
from sonogate.api.dependencies import ApiPorts, PortsDep, StudiesDep
from sonogate.api.problems import Problem
from sonogate.api.schemas import CALLER, ErrorBody, Person, Signature, UidPath
from sonogate.api.wording import WordingDep
from sonogate.domain.rejection import Rejection
from sonogate.domain.verdict import Verdict
from sonogate.messages import Language, text
from sonogate.settings.results import RejectBy

router = APIRouter(prefix="/v1", tags=["rejections"])

NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "Never received."}
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    409: {"model": ErrorBody, "description": "Rejections are off, or there is nothing to reject."},
}
Reason = Annotated[str, StringConstraints(pattern=f"^({'|'.join(REASONS)})$")]
"""A code value of CID 7011."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RejectionRequest(_Body):
    """A person's word that an image is not to be used."""

    reason: Reason = Field(description='Why: a code value of CID 7011, for instance "111210".')
    by: Person = CALLER


class RejectionReason(_Body):
    """One reason that a rejection may have."""

    code: str = Field(description="Code value of CID 7011, scheme DCM.")
    meaning: str = Field(description="Its code meaning, in the standard's words.")
    words: str = Field(description="The same in plain words.")
    of_ultrasound: bool = Field(description="False: only an X-ray image can have it.")
    findings: list[str] = Field(description="Codes of findings that it is the nearest reason for.")


class RejectionRules(_Body):
    """Whether this gate takes rejections, and what they may say."""

    enabled: bool = Field(description="False: a call to reject is refused with rejections_off.")
    reject_by: RejectBy | None = Field(
        description="Who rejects beside a call: with `override` and `policy` also a person's "
        "override to low, with `policy` also the gate. null where rejections are off."
    )
    reasons: list[RejectionReason]


@router.get("/rejections", summary="See whether and why images may be rejected")
async def read_rejection_rules(ports: PortsDep, wording: WordingDep) -> RejectionRules:
    """Return whether rejecting is on, and every reason that a rejection may have."""
    reject_by = ports.results.rejections_by if ports.results else None
    return RejectionRules(
        enabled=reject_by is not None,
        reject_by=reject_by,
        reasons=[_reason(code, wording.language) for code in REASONS],
    )


@router.get(
    "/instances/{sop_instance_uid}/rejection",
    summary="See whether an image is rejected",
    responses=NOT_FOUND,
)
async def read_rejection(sop_instance_uid: UidPath, studies: StudiesDep) -> Rejection | None:
    """Return the rejection that holds, with its reason and who says so; null if none does."""
    return await studies.rejection(sop_instance_uid)


@router.post(
    "/instances/{sop_instance_uid}/rejection", summary="Reject an image", responses=RESPONSES
)
async def reject_instance(
    sop_instance_uid: UidPath, wish: RejectionRequest, ports: PortsDep, wording: WordingDep
) -> Verdict:
    """Confirm that an image is not to be used: at the study's close its rejection is sent.

    An archive hides a rejected image from everyday use; it can be taken back.
    """
    _check_on(ports)
    verdict = await ports.studies.reject(sop_instance_uid, wish.reason, wish.by)
    tell(ports)
    return wording.verdict(verdict)


@router.delete(
    "/instances/{sop_instance_uid}/rejection", summary="Take a rejection back", responses=RESPONSES
)
async def revoke_rejection(
    sop_instance_uid: UidPath,
    ports: PortsDep,
    wording: WordingDep,
    by: Annotated[str, Query(max_length=64, description="As in the body, which counts.")] = "",
    signature: Signature | None = None,
) -> Verdict:
    """Let the image count again: a new report says so, and the archive is told where it can be.

    Only a call is taken back so; what an override rejects ends with the override.
    """
    _check_on(ports)
    who = signature.by if signature else by.strip() or CALLER
    verdict = await ports.studies.revoke_rejection(sop_instance_uid, who)
    tell(ports)
    return wording.verdict(verdict)


def _check_on(ports: ApiPorts) -> None:
    if ports.results is None or ports.results.rejections_by is None:
        raise Problem(
            409,
            "rejections_off",
            "This gate sends no rejections.",
            'Set results.enabled = true and add "rejection" to results.objects.',
        )


def _reason(code: str, language: Language) -> RejectionReason:
    return RejectionReason(
        code=code,
        meaning=REASONS[code].meaning,
        words=text(f"rejection.{code}", language),
        of_ultrasound=code not in FOR_X_RAY,
        findings=[name for name, own in FINDINGS.items() if own.nearest == code],
    )
