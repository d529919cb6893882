"""The configuration of a segmentation run, read from TOML; every number has a name and bounds."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]


class SegmentationConfig(BaseModel):
    """One run: a network for one organ, on clean pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 2026
    side: Annotated[int, Field(ge=32, multiple_of=16)] = 160
    """Pictures are reduced to a square of so many px, aspect kept, the rest black."""
    widths: tuple[Count, Count, Count, Count] = (16, 32, 64, 128)
    """Channels from the finest scale, which is half the picture's, to the coarsest."""
    n_steps: Count = 600
    n_pictures: Count = 8
    """Pictures in a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    checkpoint_steps: Count = 50
    n_threads: Count = 1


def read_config(path: Path) -> SegmentationConfig:
    """Read a run's configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return SegmentationConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
