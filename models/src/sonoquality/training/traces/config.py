"""The configuration of a run that teaches traces, read from TOML."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class TracesConfig(BaseModel):
    """One run: a bank of screens, and the net that learns from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 2026
    n_screens: Count = 8000
    trace_share: Share = 0.5
    """Part of the screens that have a trace: spectra and M-mode in equal parts."""
    drawn_share: Share = 0.3
    """Part of the images that are simulated; the others are of the collection."""
    degraded_share: Share = 0.3
    """Part of the collection's images that get a fault of the ladder."""
    n_steps: Count = 6000
    n_in_step: Count = 12
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    n_spoiled: Count = 4000
    """Screens without a trace whose images nearly all have a fault: what is taken for a trace."""
    n_layered: Count = 3000
    """Screens of linear scans with level layers."""
    n_crossed: Count = 3000
    """Screens of scans that a long vessel or a row of bones crosses; in the last lesson only."""
    n_later_steps: tuple[Count, ...] = (8000, 10000)
    """Lessons after the first, in which half of the screens are to be mistaken."""
    n_last_steps: Count = 8000
    """A last lesson, with all banks."""
    later_rate: Annotated[float, Field(gt=0)] = 1.5e-3
    """Highest learning rate of those lessons."""
    n_threads: Count = 1
    n_fresh: Count = 400
    """Screens beyond the bank on which the evidence to ask for is set."""


def read_config(path: Path) -> TracesConfig:
    """Read a run's configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return TracesConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
