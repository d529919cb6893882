"""The configuration of the diagnosticians' training, read from TOML."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Kind = Literal["outline", "measure", "disease", "organ"]


class DiagnosticianConfig(BaseModel):
    """How every small diagnostician learns: a committee of networks a task and fold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 2026
    n_members: dict[Kind, Count] = {}
    """Networks of a committee by kind of task, alike but for their seeds; else one."""
    n_steps: Count = 600
    n_outlined: Count = 8
    """Pictures in a step of who outlines or measures."""
    n_named: Count = 16
    """Pictures in a step of who names something."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    checkpoint_steps: Count = 200
    n_threads: Count = 1

    def of_member(self, member: int) -> "DiagnosticianConfig":
        """Return how one network of the committee learns, counted from 0."""
        return self.model_copy(update={"seed": self.seed + member, "n_members": {}})


def read_config(path: Path) -> DiagnosticianConfig:
    """Read a configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return DiagnosticianConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
