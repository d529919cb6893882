"""That an image is not to be used: who says so, and why."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Through(StrEnum):
    """What rejects an image."""

    CALL = "call"  #: a person's own call, which takes it back too
    OVERRIDE = "override"  #: a person's override to low; gone with it
    POLICY = "policy"  #: the site's rule for lows that were replaced; any override outweighs it


class Rejection(BaseModel):
    """A rejection that holds now; the archive hears of it when the study closes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str  #: code value of CID 7011
    meaning: str  #: the standard's words for it
    through: Through
    by: str  #: initials or a role; "policy" where no person decided
    at: datetime
