"""The configuration of a training run, read from TOML; every number has a name and bounds."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LossWeights(_Table):
    """How much each thing to learn counts; 0 leaves it out."""

    severity: Weight = 1.0
    """Level of every fault, read linearly from the pooled last tap."""
    early_severity: Weight = 0.25
    """The same from each earlier tap, so that all taps tell faults apart."""
    detection: Weight = 1.0
    """Any degraded window lies further from the clean centre than any clean one."""
    ladder: Weight = 0.5
    """The higher level of a ladder lies further out than the lower, and that than clean."""
    compact: Weight = 0.1
    """Clean windows lie near one another."""
    change: Weight = 1.0
    """What a fault changed at each token: how much, brighter or darker, finer or coarser."""
    texture: Weight = 0.5
    """The 38 hand-made texture features of each token, from the second tap."""
    masked: Weight = 0.0
    """Hidden blocks and rings of frequencies of clean windows, from the rest (SCIENCE 6a)."""


class Optimiser(_Table):
    """AdamW with warm-up and cosine."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Weight = 0.05
    warm_up: Share = 0.06
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Share = 0.998
    """Of the running average of the weights, which is what ships."""


class BankTable(_Table):
    """The bank of degraded images."""

    n_rounds: Annotated[int, Field(ge=1, le=52)] = 13
    second_share: Share = 0.2


class EncoderConfig(_Table):
    """One training run."""

    profile: str = "sonovit"
    seed: int = 2026
    n_steps: Annotated[int, Field(ge=1)] = 2700
    n_ladders: Annotated[int, Field(ge=2)] = 16
    """Per step; each brings three windows: clean, lower level, higher level."""
    without_sources: tuple[str, ...] = ()
    """Sources left out, to see how the encoder does on images of a source it never saw."""
    gain_jitter_db: Weight = 3.0
    n_threads: Annotated[int, Field(ge=1)] = 1
    bf16: bool = True
    """Blocks in bfloat16; the stem stays in fp32, since bfloat16 holds no step of 1/255."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 100
    weights: LossWeights = LossWeights()
    optimiser: Optimiser = Optimiser()
    bank: BankTable = BankTable()

    @property
    def n_windows(self) -> int:
        """Windows that pass the encoder in a whole run."""
        hidden = 2 if self.weights.masked else 0
        return (3 + hidden) * self.n_ladders * self.n_steps


def read_config(path: Path) -> EncoderConfig:
    """Read a run's configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return EncoderConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
