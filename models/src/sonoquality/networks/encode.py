"""An encoder as a plain function of numpy windows, for metrics that know nothing of torch."""

import numpy as np
import torch
from torch import Tensor

from sonoquality.arrays import Encode, Tokens, Windows
from sonoquality.networks.vit import VisionTransformer

#: Windows that go through at once: bounds memory, and splits nothing that `paper` mode draws.
LARGEST_BATCH = 16


def normalised(windows: Tensor, channels: int) -> Tensor:
    """Return windows (n, 1, 224, 224) in [0, 1] as a network takes them, grey repeated."""
    return ((windows - 0.5) / 0.5).expand(-1, channels, -1, -1)


def encode_with(model: VisionTransformer) -> Encode:
    """Return the function from windows to the tokens of each tap; it keeps no gradient."""
    model.eval()

    def encode(windows: Windows) -> list[Tokens]:
        batches = [
            _tokens(model, windows[first : first + LARGEST_BATCH])
            for first in range(0, len(windows), LARGEST_BATCH)
        ]
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)]

    return encode


@torch.inference_mode()
def _tokens(model: VisionTransformer, windows: Windows) -> list[Tokens]:
    device = next(model.parameters()).device
    pictures = normalised(torch.from_numpy(windows).to(device), model.profile.channels)
    return [tap.float().cpu().numpy() for tap in model.tokens(pictures)]
