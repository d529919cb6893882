"""Calls to one OpenAI-compatible server: time-outs, bounded retries, errors that name the remedy.

The key is read from an environment variable when a call is made. It stands in no message, no
record and no representation of these objects.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from sonoquality.mllm.port import MultimodalError

AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
SAID_CHARACTERS = 200  #: of a server's complaint that are repeated
LONGEST_WAIT_SECONDS = 30.0


class RefusedError(MultimodalError):
    """The server does not take this form of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Where the server is and how patient one is with it."""

    url: str  #: up to and with the version, http://localhost:8000/v1
    model: str
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; unset, none is sent."""
    timeout_seconds: float = 120.0
    """For one answer; a large model on one accelerator takes seconds for a picture."""
    n_tries: int = 4
    """In all, of what may pass: no connection, time-out, 408, 429, 500, 502 to 504."""
    first_wait_seconds: float = 1.0
    """Before the second try; doubled before each further one, or what Retry-After says."""
    client: httpx.Client = field(default_factory=httpx.Client, repr=False, compare=False)
    """Its connections; held between calls."""

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Ask for a chat completion.

        Raises:
            RefusedError: 400 or 422; another form of the request may be taken.
            MultimodalError: no answer after all tries, or one that isn't JSON.
        """
        wait_seconds, trouble = self.first_wait_seconds, ""
        for attempt in range(self.n_tries):
            if attempt:
                time.sleep(min(wait_seconds, LONGEST_WAIT_SECONDS))
                wait_seconds *= 2
            try:
                answer = self._post(request)
            except httpx.TimeoutException:
                trouble = f"no answer within {self.timeout_seconds:g} s (--timeout-seconds)"
                continue
            except httpx.TransportError as error:
                trouble = f"no connection ({type(error).__name__}); is the server up?"
                continue
            if answer.status_code not in AGAIN:
                return self._read(answer)
            trouble = f"status {answer.status_code}"
            wait_seconds = _asked_wait(answer, wait_seconds)
        raise MultimodalError(f"{self.url} failed {self.n_tries} times: {trouble}.")

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def _post(self, request: Mapping[str, object]) -> httpx.Response:
        key = os.environ.get(self.key_variable)
        return self.client.post(
            f"{self.url.rstrip('/')}/chat/completions",
            json={"model": self.model, "temperature": 0, **request},
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self.timeout_seconds,
        )

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        status = answer.status_code
        if status in REFUSED:
            raise RefusedError(f"{self.url} refuses the request ({status}): {_complaint(answer)}")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise MultimodalError(
                f"{self.url} asks for a key ({status}); put it into the environment variable "
                f"{self.key_variable}, or name another with --key-variable."
            )
        if status == HTTPStatus.NOT_FOUND:
            raise MultimodalError(
                f"{self.url} knows no such address or model {self.model!r} (404); the URL ends "
                "with the version, as in http://localhost:8000/v1, and GET /models lists the names."
            )
        if status != HTTPStatus.OK:
            raise MultimodalError(f"{self.url} answers {status}: {_complaint(answer)}")
        try:
            content = answer.json()
            content["choices"][0]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise MultimodalError(
                f"{self.url} answers, but not as the chat protocol does; is it an "
                "OpenAI-compatible server?"
            ) from error
        return dict(content)


def _asked_wait(answer: httpx.Response, otherwise: float) -> float:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else otherwise


def _complaint(answer: httpx.Response) -> str:
    return " ".join(answer.text.split())[:SAID_CHARACTERS]
