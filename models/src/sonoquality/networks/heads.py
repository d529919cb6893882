"""What the heads of a trained encoder read, as numbers: they ship with what is fitted on it."""

from pathlib import Path

import torch
from torch import Tensor

from sonoquality.arrays import Floats
from sonoquality.metrics.reader import Reader

STATE_FILE = "state.pt"  #: of `training.encoder.state`


def load_reader(folder: Path) -> Reader | None:
    """Return the reader of a training folder; None where no training left one."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    heads = torch.load(path, map_location="cpu", weights_only=True)["heads"]
    last = max(int(key.split(".")[1]) for key in heads if key.startswith("severity."))
    return Reader(
        centre=_numbers(heads["centre"]),
        faults=_numbers(heads[f"severity.{last}.weight"]).T.copy(),
        fault_bias=_numbers(heads[f"severity.{last}.bias"]),
    )


def _numbers(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().double().numpy()
    return found
