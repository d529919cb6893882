"""The configuration of a small multimodal model's run, read from TOML; every number has bounds."""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Shape(BaseModel):
    """Size of the two towers; both have `heads` attention heads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Annotated[int, Field(ge=28)] = 112
    """Pictures are reduced to a square of so many px, aspect kept, the rest black."""
    patch: Annotated[int, Field(ge=4)] = 14
    """px; two by two patches become one token for the language model."""
    vision_width: Count = 128
    vision_depth: Count = 4
    text_width: Count = 128
    text_depth: Count = 2
    heads: Count = 4

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.side % (2 * self.patch):
            raise ValueError(f"side {self.side} is not a multiple of two patches of {self.patch}.")
        if self.vision_width % (4 * self.heads) or self.text_width % (2 * self.heads):
            raise ValueError("Widths must be multiples of 4 (vision) and 2 (text) times the heads.")
        return self

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.side // self.patch

    @property
    def n_tokens(self) -> int:
        """Tokens of a picture in the language model."""
        return (self.grid // 2) ** 2


class MllmConfig(BaseModel):
    """One run: a network on clean pictures of the rows that its fold leaves it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 2026
    shape: Shape = Shape()
    n_steps: Count = 600
    n_pictures: Count = 32
    """Pictures in a step, each with all its questions."""
    n_questions: Count = 4
    """Of a picture in a step, at most; drawn anew each time."""
    nothing_share: Share = 0.12
    """Of the pictures: shown without tissue (speckle or black), with another picture's answers."""
    outline_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the helping loss: each patch tells what it shows of the outlined; 0 leaves it out."""
    label_weight: Annotated[float, Field(ge=0)] = 0.5
    """Of the helping loss: the mean patch tells organ and finding; 0 leaves it out."""
    smoothing: Share = 0.0
    """Share of the target spread over all words, which keeps answers from being overly sure."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    checkpoint_steps: Count = 100
    n_threads: Count = 1
    bf16: bool = True


def read_config(path: Path) -> MllmConfig:
    """Read a run's configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return MllmConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
