"""The encoder that a command is given by `--weights`, or a refusal that says what to give.

Without `--weights` it is that of the entry that ships.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonoquality.arrays import Encode
from sonoquality.errors import MissingExtraError, WeightsError
from sonoquality.zoo import SHIPPED, default_zoo

if TYPE_CHECKING:
    from sonoquality.networks.vit import VisionTransformer

REMEDY = (
    "Give the TinyUSFM.pth that its authors publish, an encoder of `sonoquality train`, or an "
    f"entry of the zoo with an encoder, such as {SHIPPED.as_posix()}."
)


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


def load_weights(path: Path | None) -> "VisionTransformer":
    """Load a TinyUSFM checkpoint as published, or an encoder trained here.

    Args:
        path: file, training folder, zoo entry or graph; None: the entry that ships.

    Raises:
        MissingExtraError: torch is not installed.
        WeightsError: no such file, another file, or a part of the weights; names what is missing.
    """
    checkpoints = room("sonoquality.networks.checkpoints")
    path = path or default_zoo() / SHIPPED
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
    if path.is_dir() or path.suffix == checkpoints.GRAPH_SUFFIX:
        return checkpoints.load_encoder
    try:
        checkpoints.load_encoder(path)
    except checkpoints.UnreadableCheckpointError:
        return checkpoints.load_tinyusfm
    return checkpoints.load_encoder


def load_encode(path: Path) -> Encode:
    """Load weights as a plain function of windows; see `load_weights`."""
    return encode_of(load_weights(path))


def encode_of(model: "VisionTransformer") -> Encode:
    """Return an encoder as a plain function of windows."""
    encode: Encode = room("sonoquality.networks.encode").encode_with(model)
    return encode


def said_of(model: "VisionTransformer") -> dict[str, Any]:
    """Return which encoder it is: distances compare only under one."""
    return {
        "profile": model.profile.name,
        "sha256": room("sonoquality.networks.identity").sha256_of(model),
        "parent_sha256": model.parent.sha256 if model.parent else None,
        "half_precision": bool(model.parent and model.parent.half_precision),
    }
