"""The configuration of MedQM-I's training, read from TOML; every number has a name and bounds."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sonoquality.networks.medqm import MedqmShape

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


class MedqmConfig(BaseModel):
    """One run over frozen features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 2026
    n_steps: Count = 4000
    n_images: Count = 8
    """Images in a step."""
    n_copies: Count = 4
    """Copies of each: ranking pairs share their content."""
    n_windows: Count = 4
    """Of a copy, drawn anew each time."""
    learning_rate: Annotated[float, Field(gt=0)] = 6e-4
    weight_decay: Weight = 0.05
    average: Annotated[float, Field(ge=0, lt=1)] = 0.997
    """Of the weights' moving average, which is what is kept."""
    unknown_organ: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of images whose organ is not told."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of tokens that are hidden in training."""
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far a label is moved to the mean of the same fault on other training images."""
    halves: bool = False
    """Multiply in bfloat16: half the time where the processor can; the weights stay whole."""
    quality: Weight = 1.0
    ranks: Weight = 0.0
    """Of the error of ranks; above 0, the network says a rank, `ranking` is reckoned of ranks too,
    and a scale that stays as it is leads back to labels."""
    ranking: Weight = 0.5
    correlation: Weight = 0.1
    attributes: Weight = 0.3
    balance: Weight = 0.01
    checkpoint_steps: Count = 250
    n_threads: Count = 1
    priors: bool = True
    queries: bool = True
    experts: bool = True
    without: tuple[str, ...] = ()
    """Kinds of diagnosticians whose word does not count for the labels."""
    n_members: Annotated[int, Field(ge=0)] = 0
    """Networks of each committee whose word counts, the first ones; 0: all."""
    short: "MedqmConfig | None" = None
    """How variants learn, and a whole network that they are compared with; none: as the whole."""

    @property
    def shape(self) -> MedqmShape:
        """The network's parts."""
        return MedqmShape(priors=self.priors, queries=self.queries, experts=self.experts)


def read_config(path: Path) -> MedqmConfig:
    """Read a configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return MedqmConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
