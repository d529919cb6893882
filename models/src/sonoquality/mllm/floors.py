"""Two models that see nothing: what a judge must beat, and fakes for tests."""

import hashlib
from collections.abc import Sequence

import numpy as np

from sonoquality.arrays import Luma

WORDS = ("high", "medium", "low")


class RandomMultimodal:
    """Log-probabilities by dice; the same question gets the same answer."""

    name = "random"
    says = "sees nothing, answers by dice"

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Return a fair softmax of noise; see `Multimodal`."""
        rolled = _dice(images, prompt).gumbel(size=len(candidates))
        return [float(value) for value in rolled - np.logaddexp.reduce(rolled)]

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Return one of three bands."""
        return WORDS[int(_dice(images, prompt).integers(len(WORDS)))]


class ConstantMultimodal:
    """The first candidate, always."""

    name = "constant"
    says = "sees nothing, prefers what is named first"

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Return a certainty that no picture moves; see `Multimodal`."""
        falling = -np.arange(len(candidates), dtype=np.float64)
        return [float(value) for value in falling - np.logaddexp.reduce(falling)]

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Return the best band."""
        return WORDS[0]


def _dice(images: Sequence[Luma], prompt: str) -> np.random.Generator:
    seen = hashlib.sha256(prompt.encode())
    for image in images:
        seen.update(image.tobytes())
    return np.random.default_rng(int.from_bytes(seen.digest()[:8], "big"))
