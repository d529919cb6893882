"""One attempt to hand one event to one webhook, and what came of it."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from sonogate import __version__
from sonogate.act.signature import HEADER, KEY_HEADER, sign
from sonogate.errors import SettingsError
from sonogate.settings import WebhookSettings

ANSWER_BYTES = 64 * 1024
"""So much of an answer is read, to keep the connection; its content means nothing to us."""
ANSWER_SECONDS = 1.0
"""Time for the rest of an answer whose status has come."""
OVERLOADED = frozenset({408, 425, 429})
"""Client errors that are about the receiver's state, not about the event (RFC 9110, 8470, 6585)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is POSTed: the same bytes and key at every attempt."""

    event_id: int
    kind: str
    at: datetime
    study_instance_uid: str | None
    body: Mapping[str, Any]
    idempotency_key: str

    def to_bytes(self) -> bytes:
        """Return the JSON body, equal for equal events."""
        event = {
            "id": self.event_id,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "study_instance_uid": self.study_instance_uid,
            "body": self.body,
        }
        return json.dumps(event, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one attempt."""

    delivered: bool
    reason: str  #: "delivered", "unreachable", "timed_out" or "status_<code>"
    target_is_sick: bool = False  #: the receiver as a whole fails, not just this event
    retry_after_seconds: float | None = None  #: what the receiver asked for


def make_client(webhooks: tuple[WebhookSettings, ...]) -> httpx.AsyncClient:
    """Make the client of all attempts: no redirects, no proxy or password from the environment.

    Certificates are checked against the machine's own trust store, where a hospital keeps its own
    authority; `SSL_CERT_FILE` names another.
    """
    longest = max((webhook.timeout_seconds for webhook in webhooks), default=10.0)
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        verify=ssl.create_default_context(),
        timeout=longest,
        headers={"User-Agent": f"sonogate/{__version__}"},
    )


def host_of(webhook: WebhookSettings) -> str:
    """Return the host of a webhook's address: all of it that may be logged.

    Raises:
        SettingsError: the address is not one that can be POSTed to.
    """
    try:
        url = httpx.URL(webhook.url)
    except httpx.InvalidURL:  # its text may hold the address
        raise SettingsError("webhooks: a url is malformed; write http(s)://host/path") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingsError("webhooks: a url lacks http:// or https:// and a host")
    return url.host


async def post(
    client: httpx.AsyncClient, webhook: WebhookSettings, message: Message, now: datetime
) -> Attempt:
    """Make one attempt within the webhook's time; every failure is an answer, not an error."""
    body = message.to_bytes()
    headers = _headers(webhook, message.idempotency_key, body, now)
    try:
        async with (
            asyncio.timeout(webhook.timeout_seconds),
            client.stream("POST", webhook.url, content=body, headers=headers) as response,
        ):
            attempt = _read_answer(response)
            await _drain(response)
            return attempt
    except (TimeoutError, httpx.TimeoutException):
        return Attempt(delivered=False, reason="timed_out", target_is_sick=True)
    except (httpx.HTTPError, ssl.SSLError):
        return Attempt(delivered=False, reason="unreachable", target_is_sick=True)


def _headers(webhook: WebhookSettings, key: str, body: bytes, now: datetime) -> dict[str, str]:
    headers = {"Content-Type": "application/json", KEY_HEADER: key}
    if webhook.secret:
        secret = webhook.secret.get_secret_value()
        headers[HEADER] = sign(secret, key, body, int(now.timestamp()))
    return headers


def _read_answer(response: httpx.Response) -> Attempt:
    if response.is_success:
        return Attempt(delivered=True, reason="delivered")
    code = response.status_code
    return Attempt(
        delivered=False,
        reason=f"status_{code}",
        target_is_sick=code in OVERLOADED or code >= 500,
        retry_after_seconds=_retry_after(response),
    )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None


async def _drain(response: httpx.Response) -> None:
    """Read a short answer to its end, so that the connection can serve the next event."""
    n_bytes = 0
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async for chunk in response.aiter_raw():
                n_bytes += len(chunk)
                if n_bytes > ANSWER_BYTES:
                    return
    except (TimeoutError, httpx.HTTPError):
        return  # the status has come, and it alone counts
