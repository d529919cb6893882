"""Ask a server that speaks the OpenAI protocol (vLLM and others): POST {url}/chat/completions.

Nothing of its answer is believed: not its length, not its time, not its form. Redirections are not
followed, since the pictures are for this server.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from pydantic import BaseModel, Field, ValidationError

from sonogate import __version__
from sonogate.act.advice.answers import AdviceError
from sonogate.act.advice.plates import to_data_url
from sonogate.act.advice.prompts import SYSTEM, Question
from sonogate.domain.advice import AdviceReason
from sonogate.settings import AdviceSettings

MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer of 4,096 tokens has a third of it."""
MAX_RETRY_AFTER_SECONDS: Final = 300.0
_BUSY: Final = frozenset({408, 425, 429, 503})
_DENIED: Final = frozenset({401, 403})


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


@dataclass(kw_only=True)
class Endpoint:
    """One server and the model on it."""

    settings: AdviceSettings
    make_tls: Callable[[AdviceSettings], ssl.SSLContext]  #: reads the files
    _client: httpx.AsyncClient | None = field(default=None, init=False)

    @property
    def model(self) -> str | None:
        """Its name there."""
        return self.settings.model

    async def close(self) -> None:
        """Let go of its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def say(self, question: Question) -> str:
        """Return what the model says.

        Raises:
            AdviceError: nothing came of it.
        """
        try:
            async with asyncio.timeout(self.settings.timeout_seconds):
                answer = await self._post(body_of(question, self.settings))
        except (TimeoutError, httpx.TimeoutException):
            raise AdviceError(AdviceReason.TIMED_OUT) from None
        except (httpx.HTTPError, ssl.SSLError, OSError):
            raise AdviceError(AdviceReason.UNREACHABLE) from None
        return said_in(answer)

    async def _post(self, body: bytes) -> bytes:
        url = f"{(self.settings.url or '').rstrip('/')}/chat/completions"
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with self._opened().stream("POST", url, content=body, headers=headers) as response:
            if response.status_code != 200:
                raise of_status(response)
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise AdviceError(AdviceReason.MALFORMED)  # a small answer may unpack to gigabytes
            return await _bounded(response)

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            headers = {"User-Agent": f"sonogate/{__version__}", "Accept": "application/json"}
            if self.settings.api_key:
                headers["Authorization"] = f"Bearer {self.settings.api_key.get_secret_value()}"
            self._client = httpx.AsyncClient(
                follow_redirects=False,
                trust_env=False,
                verify=self.make_tls(self.settings),
                timeout=self.settings.timeout_seconds,
                headers=headers,
            )
        return self._client


def body_of(question: Question, settings: AdviceSettings) -> bytes:
    """Write the request."""
    shown: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": to_data_url(png)}} for png in question.pictures
    ]
    said: dict[str, Any] = {
        "model": settings.model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": [*shown, {"type": "text", "text": question.text}]},
        ],
        "max_tokens": settings.max_output_tokens,
        "temperature": 0.0,
        "stream": False,
    }
    if settings.json_schema:
        schema = {"name": question.kind.value, "schema": question.schema}
        said["response_format"] = {"type": "json_schema", "json_schema": schema}
    return json.dumps(said).encode()


def of_status(response: httpx.Response) -> AdviceError:
    """Turn an answer other than 200 into a reason."""
    code = response.status_code
    if code in _BUSY:
        asked = response.headers.get("Retry-After", "")
        seconds = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
        wait = min(seconds, MAX_RETRY_AFTER_SECONDS)
        return AdviceError(AdviceReason.BUSY, retry_after_seconds=wait)
    if code in _DENIED:
        return AdviceError(AdviceReason.DENIED)
    return AdviceError(AdviceReason.SERVER_ERROR if code >= 500 else AdviceReason.REFUSED)


async def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise AdviceError(AdviceReason.TOO_LONG)
    return bytes(content)


def said_in(answer: bytes) -> str:
    """Return the model's words in a server's answer.

    Raises:
        AdviceError: there are none.
    """
    try:
        choice = _Completion.model_validate_json(answer).choices[0]
    except (ValidationError, RecursionError):
        raise AdviceError(AdviceReason.MALFORMED) from None
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise AdviceError(AdviceReason.DECLINED)
    if not choice.message.content:
        raise AdviceError(AdviceReason.MALFORMED)
    return choice.message.content
