"""The configuration of the example, read from TOML; every number has a name and bounds."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LossMix(_Table):
    """How much each distance to the true picture counts in one loss; 0 leaves it out."""

    l1: Weight = 0.0
    ssim: Weight = 0.0
    """1 - SSIM."""
    ulpips: Weight = 0.0
    """Robust mode, under the encoder that is handed in."""


class RestorationConfig(_Table):
    """One run: a network for each loss, all from the same first weights on the same pictures."""

    seed: int = 2026
    factor: Annotated[int, Field(ge=2, le=8)] = 4
    """How many times fewer pixels a side the networks are given."""
    width: Count = 32
    """Channels."""
    n_blocks: Count = 6
    n_steps: Count = 60
    n_crops: Count = 4
    """Crops of 224 x 224 px in a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    checkpoint_steps: Count = 20
    n_threads: Count = 1
    losses: Mapping[str, LossMix] = {
        "L1": LossMix(l1=1.0),
        "SSIM": LossMix(ssim=1.0),
        # The L1 share holds the grey, of which uLPIPS forgives 3 dB.
        "uLPIPS": LossMix(ulpips=1.0, l1=0.5),
    }


def read_config(path: Path) -> RestorationConfig:
    """Read a run's configuration.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, or a key or value is not one of ours.
    """
    return RestorationConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
