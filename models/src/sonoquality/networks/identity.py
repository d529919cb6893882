"""What makes an encoder itself: the hash of its numbers in fp32, whatever file they travel in."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

SHOWN = 16  #: digits of an identity that are shown to people


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The fp32 weights that an encoder read back from a graph was written from."""

    sha256: str
    half_precision: bool  #: the graph holds them rounded to it


def sha256_of(model: nn.Module) -> str:
    """Return the SHA-256 over the names, shapes and fp32 numbers of all tensors, in key order."""
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        numbers = tensor.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{key}{tuple(numbers.shape)}".encode())
        digest.update(numbers.numpy().astype("<f4").tobytes())
    return digest.hexdigest()
