"""Read and write the weights of encoders; a file that does not fit is refused by name of its gaps.

CheckpointError
├── UnreadableCheckpointError   not a file of tensors that torch reads safely
├── UnreadableGraphError        a graph that holds no encoder's weights as they are
└── MisfitCheckpointError       tensors are missing or have other shapes; all are named
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sonoquality.card import checked_graph
from sonoquality.export.read_back import GraphError, profile_in, read_back
from sonoquality.networks.identity import Parent
from sonoquality.networks.profiles import PROFILES, TINYUSFM, EncoderProfile
from sonoquality.networks.vit import VisionTransformer
from sonoquality.zoo import CARD_FILE

WEIGHTS_FILE = "encoder.pt"
PREFIXES = ("module.", "model.", "backbone.", "encoder.")
WRAPPERS = ("state_dict", "model", "model_state_dict")
HEADS = ("head.", "fc_norm.")
GRAPH_SUFFIX = ".onnx"
LAST_NORM = "norm."


class CheckpointError(ValueError):
    """These weights can't be used."""


class UnreadableCheckpointError(CheckpointError):
    """The file holds no tensors that torch reads safely."""


class UnreadableGraphError(CheckpointError):
    """The graph holds no encoder's weights as they are."""


class MisfitCheckpointError(CheckpointError):
    """The tensors are not those of the profile."""


def load_tinyusfm(path: Path) -> VisionTransformer:
    """Load a TinyUSFM checkpoint as its authors publish it, in fp32, ready to encode.

    Prefixes (`module.`, `model.`) are stripped, a classifier's head is left out.

    Raises:
        OSError: the file can't be opened.
        UnreadableCheckpointError: it is not a checkpoint.
        MisfitCheckpointError: tensors of TinyUSFM are missing or have other shapes.
    """
    return _filled(TINYUSFM, _tensors(path), path)


def load_encoder(folder: Path) -> VisionTransformer:
    """Load the encoder of a training folder, a weights file, a zoo entry or a graph, in fp32.

    Out of a zoo entry come the weights that ship, rounded to half precision; `parent` says so.

    Raises:
        OSError: there is no such file.
        CheckpointError: it holds no encoder of ours.
        ModelCardError: the entry's graph is not the one that its card describes.
    """
    if (folder / CARD_FILE).is_file():
        return _from_graph(checked_graph(folder))
    if folder.suffix == GRAPH_SUFFIX and folder.is_file():
        return _from_graph(folder)
    path = folder / WEIGHTS_FILE if folder.is_dir() else folder
    content = _content(path)
    profile = _profile(content.get("profile"))
    if profile is None or not isinstance(content.get("weights"), Mapping):
        raise UnreadableCheckpointError(f"{path} does not name its profile and weights.")
    return _filled(profile, content["weights"], path)


def save_encoder(path: Path, model: VisionTransformer) -> None:
    """Write the profile and the fp32 weights, so that `load_encoder` needs nothing else."""
    profile = {key: getattr(model.profile, key) for key in model.profile.__dataclass_fields__}
    weights = {key: value.detach().cpu().float() for key, value in model.state_dict().items()}
    torch.save({"profile": profile, "weights": weights}, path)


def _from_graph(path: Path) -> VisionTransformer:
    """Read the weights back; what no tap reads is in no graph and stays as it begins, or 0."""
    try:
        _, profile = profile_in(path)
        begun = VisionTransformer(profile).state_dict()
        found = read_back(path, {key: value.numpy() for key, value in begun.items()})
    except GraphError as error:
        raise UnreadableGraphError(str(error)) from error
    read = {key: torch.from_numpy(value) for key, value in found.weights.items()}
    unread = {
        key: value if key.startswith(LAST_NORM) else torch.zeros_like(value)
        for key, value in begun.items()
        if key not in found.written
    }
    model = _filled(profile, {**unread, **read}, path)
    model.parent = Parent(sha256=found.parent_sha256, half_precision=found.half_precision)
    return model


def _profile(found: Any) -> EncoderProfile | None:
    if isinstance(found, str):
        return PROFILES.get(found)
    if not isinstance(found, Mapping):
        return None
    try:
        return EncoderProfile(**found)
    except TypeError:
        return None


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise UnreadableCheckpointError(f"{path} is no checkpoint: {error}") from error
    if not isinstance(content, Mapping):
        raise UnreadableCheckpointError(f"{path} holds no table of tensors.")
    return content


def _tensors(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors by their bare names."""
    content = _content(path)
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    tensors = {_bare(key): value for key, value in content.items() if isinstance(value, Tensor)}
    return {key: value for key, value in tensors.items() if not key.startswith(HEADS)}


def _bare(key: str) -> str:
    while key.startswith(PREFIXES):
        key = key.split(".", 1)[1]
    return key


def _filled(
    profile: EncoderProfile, tensors: Mapping[str, Tensor], path: Path
) -> VisionTransformer:
    model = VisionTransformer(profile)
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in tensors]
    misshaped = [
        f"{key} {tuple(tensors[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in tensors and tensors[key].shape != wanted[key].shape
    ]
    if missing or misshaped:
        raise MisfitCheckpointError(_misfit(path, profile.name, missing, misshaped))
    model.load_state_dict({key: tensors[key].float() for key in wanted})
    return model.eval()


def _misfit(path: Path, name: str, missing: list[str], misshaped: list[str]) -> str:
    parts = [f"{path} is not a whole checkpoint of {name}."]
    if missing:
        parts.append(f"Missing: {', '.join(missing)}.")
    if misshaped:
        parts.append(f"Of another shape: {', '.join(misshaped)}.")
    return " ".join(parts)
