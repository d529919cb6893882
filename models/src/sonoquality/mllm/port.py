"""What is asked of a multimodal language model, and what it may fail with.

A prompt is plain text. What follows its last line break is the beginning of the answer, said for
the model ("The quality is"); an adapter that speaks in turns gives it to the answering side, one
that continues text just goes on. Candidates are words with their leading space (" high"), since
tokenisers know a word at the start of a text by another token (DeQA-Score, issue 24).
"""

from collections.abc import Sequence
from typing import Protocol

from sonoquality.arrays import Luma
from sonoquality.errors import QualityError


class MultimodalError(QualityError):
    """The language model did not answer as it was asked."""


class Multimodal(Protocol):
    """A model that sees pictures, reads a prompt and goes on with it."""

    @property
    def name(self) -> str:
        """Name it in tables."""

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Return how likely each candidate is as the next words, teacher-forced.

        Args:
            images: (height, width) uint8 each, shown in this order before the text.
            prompt: see above.
            candidates: words with their leading space.

        Returns:
            The mean log-probability of each candidate's tokens (natural logarithm); NaN where the
            model gives none.

        Raises:
            MultimodalError: it does not answer; the message names the remedy.
        """

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Return what it says, most likely words first, at most so many tokens.

        Raises:
            MultimodalError: it does not answer; the message names the remedy.
        """


def turns(prompt: str) -> tuple[str, str]:
    """Part a prompt into the question and the beginning of the answer, empty if there is none."""
    question, _, opening = prompt.rpartition("\n")
    return (question, opening) if question else (prompt, "")
