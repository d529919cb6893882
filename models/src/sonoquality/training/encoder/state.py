"""All that a run needs to go on exactly where it was: weights, optimiser, step, target scale."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sonoquality.networks.profiles import EncoderProfile
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.encoder.config import Optimiser
from sonoquality.training.encoder.losses import Heads

STATE_FILE = "state.pt"


class TrainingState:
    """Encoder, heads, running average and optimiser at a step."""

    def __init__(
        self, profile: EncoderProfile, seed: int, optimiser: Optimiser, *, decodes: bool = False
    ) -> None:
        torch.manual_seed(seed)
        self.step = 0
        self.encoder = VisionTransformer(profile)
        self.heads = Heads(profile, decodes=decodes)
        self.average = VisionTransformer(profile)
        self.average.load_state_dict(self.encoder.state_dict())
        self.texture_mean = torch.zeros(1)
        self.texture_spread = torch.ones(1)
        self._recipe = optimiser
        self.optimiser = torch.optim.AdamW(self._groups(), lr=optimiser.learning_rate)

    def parameters(self) -> list[nn.Parameter]:
        """Return everything that learns."""
        return [*self.encoder.parameters(), *self.heads.parameters()]

    def _groups(self) -> list[dict[str, Any]]:
        """Matrices and filters decay; biases, norms, positions and the centre do not."""
        named = [*self.encoder.named_parameters(), *self.heads.named_parameters()]
        heavy = [p for name, p in named if p.ndim > 1 and "pos_embed" not in name]
        light = [p for name, p in named if p.ndim <= 1 or "pos_embed" in name]
        decay = self._recipe.weight_decay
        return [{"params": heavy, "weight_decay": decay}, {"params": light, "weight_decay": 0.0}]

    def to(self, device: torch.device) -> None:
        """Move everything that learns before the first step."""
        for module in (self.encoder, self.heads, self.average):
            module.to(device)

    @torch.no_grad()
    def follow(self) -> None:
        """Let the running average take in the weights; fast at first, slower later."""
        decay = min(self._recipe.average_decay, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.encoder.parameters(), strict=True)
        for mean, now in pairs:
            mean.lerp_(now, 1 - decay)

    def save(self, folder: Path) -> None:
        """Write the state whole or not at all."""
        unfinished = folder / (STATE_FILE + ".part")
        torch.save(
            {
                "step": self.step,
                "encoder": self.encoder.state_dict(),
                "heads": self.heads.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "texture": (self.texture_mean, self.texture_spread),
            },
            unfinished,
        )
        unfinished.replace(folder / STATE_FILE)

    def load(self, folder: Path) -> bool:
        """Take up the state of a folder; False if there is none."""
        place = folder / STATE_FILE
        if not place.exists():
            return False
        found = self._take(place, ("encoder", "heads", "average", "optimiser"))
        self.step = int(found["step"])
        return True

    def inherit(self, folder: Path) -> None:
        """Begin at step 0 with the weights, heads and target scale that another run ended with."""
        self._take(folder / STATE_FILE, ("encoder", "heads", "average"))

    def _take(self, place: Path, names: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = torch.load(place, map_location="cpu", weights_only=True)
        for name in names:
            getattr(self, name).load_state_dict(found[name])
        self.texture_mean, self.texture_spread = _pair(found["texture"])
        return found


def _pair(found: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    mean, spread = found
    return mean, spread
