"""A multimodal model behind an OpenAI-compatible server, as vLLM serves EchoVLM's family.

How log-probabilities are had is told by `way`:

- `prompt_logprobs`: vLLM scores an answer that is given to it. The answering turn is left open
  (`continue_final_message`), once with the beginning of the answer alone and once with a candidate
  behind it; the tokens by which the second is longer are the candidate's.
- `first token`: other servers give the likeliest next tokens only (`top_logprobs`). A candidate has
  the log-probability of the best token that begins it and no other one. A candidate that is not
  listed has the smallest that is, which is the most it can have; if none is listed, none has any.

vLLM is asked first. A server that refuses, or does not give what was asked, is asked the other way.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from sonoquality.arrays import Luma
from sonoquality.mllm.chat import Chat, RefusedError
from sonoquality.mllm.port import MultimodalError, turns

FORCED, FIRST_TOKEN = "prompt_logprobs", "first token"
N_TOP = 20
"""Most that OpenAI's protocol gives."""
ONE_WORD = "Answer with one word only, which continues:"

Message = Mapping[str, object]


class EndpointMultimodal:
    """A `Multimodal` at an address."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._way: str | None = None
        self._continues = True
        self._n_before: dict[tuple[object, ...], int] = {}

    @property
    def name(self) -> str:
        """The model's name at the server."""
        return self._chat.model

    @property
    def way(self) -> str:
        """How log-probabilities are had; empty before the first were asked for."""
        return self._way or ""

    def logprobs(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        """Return the mean log-probability of each candidate's tokens; see `Multimodal`."""
        if self._way != FIRST_TOKEN:
            try:
                found = self._forced(images, prompt, candidates)
            except RefusedError:
                if self._way == FORCED:
                    raise
                found = None
            if found is not None:
                self._way = FORCED
                return found
        self._way = FIRST_TOKEN
        return self._first_token(images, prompt, candidates)

    def generate(self, images: Sequence[Luma], prompt: str, max_tokens: int) -> str:
        """Return the likeliest words; see `Multimodal`."""
        answer = self._open(images, prompt, {"max_tokens": max_tokens})
        said = answer["choices"][0].get("message", {}).get("content")
        return said if isinstance(said, str) else ""

    def _forced(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float] | None:
        question, opening = turns(prompt)
        n_before = self._tokens_before(images, prompt) if opening else 0
        if n_before is None:
            return None
        found = []
        for candidate in candidates:
            said = opening + candidate if opening else candidate.lstrip()
            scored = self._scored(_asked(images, question, said))
            own = _own(scored, n_before, candidate)
            if own is None:
                return None
            found.append(math.fsum(own) / len(own))
        return found

    def _tokens_before(self, images: Sequence[Luma], prompt: str) -> int | None:
        """Count the tokens before a candidate; pictures of one size have the same number."""
        key = (prompt, *(image.shape for image in images))
        if key not in self._n_before:
            before = self._scored(_asked(images, *turns(prompt)))
            if before is None:
                return None
            self._n_before[key] = len(before)
        return self._n_before[key]

    def _scored(self, messages: Sequence[Message]) -> list[tuple[str, float]] | None:
        """Return text and log-probability of each token of the prompt but the first, or None."""
        asked = {"prompt_logprobs": 0, "max_tokens": 1, **_LEFT_OPEN}
        scored = self._chat.ask({"messages": messages, **asked}).get("prompt_logprobs")
        if not isinstance(scored, list):
            return None
        # The token that stands there comes first; those likelier may follow it.
        tokens = [next(iter(each.values())) for each in scored if each]
        return [(str(token.get("decoded_token", "")), float(token["logprob"])) for token in tokens]

    def _first_token(
        self, images: Sequence[Luma], prompt: str, candidates: Sequence[str]
    ) -> list[float]:
        asked = {"logprobs": True, "top_logprobs": N_TOP, "max_tokens": 1}
        content = (self._open(images, prompt, asked)["choices"][0].get("logprobs") or {}).get(
            "content"
        )
        if not content:
            raise MultimodalError(
                f"The server of {self.name} gives no log-probabilities; serve the model with vLLM, "
                "or by another server whose chat answers hold `logprobs`."
            )
        top = [(str(each["token"]), float(each["logprob"])) for each in content[0]["top_logprobs"]]
        return _by_first_token(top, candidates)

    def _open(
        self, images: Sequence[Luma], prompt: str, asked: Mapping[str, object]
    ) -> dict[str, Any]:
        """Let the model go on after the opening, in the way that the server knows."""
        question, opening = turns(prompt)
        if opening and self._continues:
            try:
                messages = _asked(images, question, opening)
                return self._chat.ask({"messages": messages, **asked, **_LEFT_OPEN})
            except RefusedError:
                self._continues = False
        closed = f"{question}\n{ONE_WORD} {opening}" if opening else question
        return self._chat.ask({"messages": _asked(images, closed, ""), **asked})


_LEFT_OPEN = {"continue_final_message": True, "add_generation_prompt": False}


def _asked(images: Sequence[Luma], question: str, opening: str) -> list[Message]:
    content: list[Message] = [
        {"type": "image_url", "image_url": {"url": data_url(image)}} for image in images
    ]
    content.append({"type": "text", "text": question})
    answer = [{"role": "assistant", "content": opening}] if opening else []
    return [{"role": "user", "content": content}, *answer]


def data_url(image: Luma) -> str:
    """Return a picture as a PNG in a data URL."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _own(
    scored: Sequence[tuple[str, float]] | None, n_before: int, candidate: str
) -> list[float] | None:
    """Return the log-probabilities of the candidate's tokens, the last ones, if they are there."""
    if scored is None:
        return None
    own = list(scored[n_before:]) if n_before else _tail(scored, candidate.strip())
    if "".join(text for text, _ in own).strip() != candidate.strip():
        return None
    return [value for _, value in own]


def _tail(scored: Sequence[tuple[str, float]], word: str) -> list[tuple[str, float]]:
    """Return the fewest last tokens that spell a word."""
    for start in range(len(scored) - 1, -1, -1):
        own = list(scored[start:])
        if len("".join(text for text, _ in own).strip()) >= len(word):
            return own
    return []


def _by_first_token(top: Sequence[tuple[str, float]], candidates: Sequence[str]) -> list[float]:
    telling = [each for each in top if sum(_begins(each[0], word) for word in candidates) == 1]
    found = [
        max((value for token, value in telling if _begins(token, word)), default=math.nan)
        for word in candidates
    ]
    if all(math.isnan(value) for value in found):
        return found
    least = min(value for _, value in top)
    return [least if math.isnan(value) else value for value in found]


def _begins(token: str, candidate: str) -> bool:
    word, said = candidate.strip().lower(), token.strip().lower()
    return bool(said) and word.startswith(said)
