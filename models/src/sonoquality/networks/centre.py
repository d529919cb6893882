"""The clean centre of the last tap: learned with the encoder's heads, and part of what ships."""

from pathlib import Path

import torch

from sonoquality.arrays import Floats

STATE_FILE = "state.pt"  #: of `training.encoder.state`
KEY = "centre"


def load_centre(folder: Path) -> Floats | None:
    """Return the centre (width,) from a training folder; None where no training left one."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    heads = torch.load(path, map_location="cpu", weights_only=True)["heads"]
    centre: Floats = heads[KEY].detach().double().numpy()
    return centre
