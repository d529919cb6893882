"""What a vision-language model says of an image: advice, not diagnosis, and never a verdict."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sonogate.act.advice.ledger import Asker
from sonogate.api.auditing import address_of
from sonogate.api.dependencies import AdviserPort, ApiPorts, PortsDep
from sonogate.api.problems import Problem
from sonogate.api.schemas import ErrorBody, Person, UidPath
from sonogate.domain.advice import Advice, AdviceKind

router = APIRouter(
    prefix="/v1/instances/{sop_instance_uid}/advice",
    tags=["advice"],
    responses={
        404: {"model": ErrorBody, "description": "Never received."},
        503: {"model": ErrorBody, "description": "The adviser is off."},
    },
)
ASKING: dict[int | str, dict[str, Any]] = {
    429: {"model": ErrorBody, "description": "Over advice.calls_per_minute; see Retry-After."},
}
Question = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="For kind `question`: in a sentence; never anything of the patient."),
]


class AdviceRequest(BaseModel):
    """What to ask, and who asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AdviceKind = Field(
        description="remark: what weakens the image; report: a draft; question: one of your own."
    )
    question: Question = ""
    by: Person

    @model_validator(mode="after")
    def _asks_something(self) -> "AdviceRequest":
        if bool(self.question) != (self.kind is AdviceKind.QUESTION):
            raise ValueError("question goes with kind `question`, and with no other")
        return self


@router.get("", summary="Read the remark on an image")
async def read_advice(sop_instance_uid: UidPath, ports: PortsDep) -> Advice:
    """Return the adviser's remark, or null with the reason; it is not asked by reading."""
    return await _adviser(ports).read(sop_instance_uid)


@router.post("", summary="Ask the adviser", responses=ASKING)
async def ask_adviser(
    sop_instance_uid: UidPath, wish: AdviceRequest, request: Request, ports: PortsDep
) -> Advice:
    """Show the image's small masked pictures to the adviser and return what it says.

    `advice` is null, with a reason, whenever nothing usable came within `advice.timeout_seconds`.
    A remark is kept, and said again without asking; reports and answers are kept nowhere. That a
    picture went out, and on whose word, is audited.
    """
    adviser = _adviser(ports)
    wait = adviser.wait_seconds()
    if wait > 0:
        raise Problem(
            429,
            "too_many_questions",
            "The adviser was asked too often within a minute.",
            "Ask again in a moment, or raise advice.calls_per_minute.",
            retry_after_seconds=int(wait) + 1,
        )
    asker = Asker(by=wish.by, address=address_of(request.scope))
    return await adviser.ask(sop_instance_uid, wish.kind, wish.question, asker)


def _adviser(ports: ApiPorts) -> AdviserPort:
    if ports.adviser is None:
        raise Problem(
            503,
            "advice_off",
            "This gate asks no adviser.",
            "Set advice.enabled = true and advice.url, or advice.weights.",
        )
    return ports.adviser
