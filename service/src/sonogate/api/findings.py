"""What can be found, and what to do about each: so that no client writes these sentences anew."""

from fastapi import APIRouter

from sonogate.api.schemas import FindingAction
from sonogate.api.wording import WordingDep
from sonogate.judge.findings import CODES, action_of

router = APIRouter(prefix="/v1", tags=["verdicts"])


@router.get("/findings", summary="What to do about each finding")
async def list_findings(wording: WordingDep) -> list[FindingAction]:
    """Return every code that a verdict's findings may have, with its action."""
    return [FindingAction(code=code, action=action_of(code, wording.language)) for code in CODES]
