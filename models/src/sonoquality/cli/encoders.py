"""The encoder that a command is given by `--weights`, or a refusal that says what to give."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonoquality.arrays import Encode
from sonoquality.errors import MissingExtraError, WeightsError

if TYPE_CHECKING:
    from sonoquality.networks.vit import VisionTransformer

REMEDY = "Give the TinyUSFM.pth that its authors publish, or an encoder of `sonoquality train`."


def room(name: str) -> Any:
    """Return a module that needs torch.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"This needs PyTorch ({error}): pip install 'sonogate[train]'."
        ) from error


def load_weights(path: Path) -> "VisionTransformer":
    """Load a TinyUSFM checkpoint as published, or an encoder trained here.

    Raises:
        MissingExtraError: torch is not installed.
        WeightsError: no such file, another file, or a part of the weights; names what is missing.
    """
    checkpoints = room("sonoquality.networks.checkpoints")
    try:
        model: VisionTransformer = _loader(checkpoints, path)(path)
    except OSError as error:
        raise WeightsError(f"{path} can't be opened ({error.strerror}). {REMEDY}") from error
    except checkpoints.UnreadableCheckpointError as error:
        # PyTorch's own words advise to read the file unsafely.
        raise WeightsError(f"{path} holds no tensors that are read safely. {REMEDY}") from error
    except ValueError as error:
        raise WeightsError(f"{error} {REMEDY}") from error
    return model


def _loader(checkpoints: Any, path: Path) -> Any:
    """Tell an encoder of ours, which names its profile, from the published form."""
    if path.is_dir():
        return checkpoints.load_encoder
    try:
        checkpoints.load_encoder(path)
    except checkpoints.UnreadableCheckpointError:
        return checkpoints.load_tinyusfm
    return checkpoints.load_encoder


def load_encode(path: Path) -> Encode:
    """Load weights as a plain function of windows; see `load_weights`."""
    encode: Encode = room("sonoquality.networks.encode").encode_with(load_weights(path))
    return encode
