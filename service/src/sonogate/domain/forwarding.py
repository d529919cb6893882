"""How passing on stands, as people and programs read it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BreakerReport(_Report):
    """Whether objects flow to a destination."""

    state: Literal["closed", "open", "probing"] = Field(
        description="closed: they flow; open: it failed and rests; probing: one association tries."
    )
    reason: str | None = Field(description="Of its last failure.")
    n_failed: int = Field(description="Failures in a row.")
    since: datetime | None = Field(description="Of the first of these.")
    rest_until: datetime | None = Field(description="When it is tried again.")


class DestinationReport(_Report):
    """How one destination does."""

    name: str
    kind: Literal["dicom", "stow", "folder"]
    mode: Literal["all", "tag", "hold_low_until_decided"]
    owed: int = Field(description="Objects that it is to get, or is getting.")
    held: int = Field(description="Objects that wait for a decision.")
    refused: int = Field(description="Objects that it will not take; they rest until a retry.")
    refusals: Mapping[str, int] = Field(description="The refused ones by reason.")
    oldest_owed_at: datetime | None = Field(description="Received then.")
    oldest_held_at: datetime | None = Field(description="Received then.")
    breaker: BreakerReport


class StudyForwards(_Report):
    """How far a study's objects are at one destination; objects without a verdict left out."""

    destination: str
    done: int
    owed: int
    held: int
    refused: int
    dropped: int = Field(description="Given up: the destination left the settings.")
