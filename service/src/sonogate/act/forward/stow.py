"""A destination that takes STOW-RS (PS3.18 section 10.5): one request for each object.

One object a request costs little beside its pixels, and its answer speaks of it alone.
"""

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from sonogate import __version__
from sonogate.act.forward import outcome
from sonogate.act.forward.carrier import Decode, Settle
from sonogate.act.forward.outcome import DestinationError, Fate, Outcome
from sonogate.act.forward.parcel import Parcel, reading
from sonogate.act.forward.syntaxes import EXPLICIT_LITTLE, LOSSLESS
from sonogate.domain.instance import Span
from sonogate.errors import SettingFileError, UndecodableError

CONNECT_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 256 * 1024
"""So much of an answer is read; it speaks of one instance."""
_FAILED, _REASON = "00081198", "00081197"
_STORED, _WARNING = "00081199", "00081196"
_SAYS_MORE: Final = frozenset({200, 202, 409})


@dataclass(frozen=True, slots=True, kw_only=True)
class StowCarrier:
    """Posts objects to `{url}/studies`."""

    url: str
    token: str | None
    answer_seconds: float
    may_decode: bool
    make_tls: Callable[[], ssl.SSLContext | None]  #: reads the files, so that new ones count
    decode: Decode

    async def carry(
        self, parcels: Sequence[Parcel], on_start: Callable[[Parcel], None], settle: Settle
    ) -> None:
        """Send objects one after another over one connection."""
        async with self._client() as client:
            for parcel in parcels:
                on_start(parcel)
                out = await self._store(client, parcel)
                if out == outcome.TRANSFER_SYNTAX and self._is_decodable(parcel):
                    out = await self._store_decoded(client, parcel)
                settle(parcel, out)
                if out.fate is Fate.BUSY:
                    return

    def _is_decodable(self, parcel: Parcel) -> bool:
        syntax = parcel.transfer_syntax_uid
        return self.may_decode and syntax in LOSSLESS and syntax != EXPLICIT_LITTLE

    def _client(self) -> httpx.AsyncClient:
        try:
            verify = self.make_tls() or ssl.create_default_context()
        except SettingFileError as error:
            raise DestinationError("certificate") from error
        headers = {"User-Agent": f"sonogate/{__version__}", "Accept": "application/dicom+json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        timeout = httpx.Timeout(self.answer_seconds, connect=CONNECT_SECONDS)
        return httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            timeout=timeout,
            headers=headers,
        )

    async def _store(self, client: httpx.AsyncClient, parcel: Parcel) -> Outcome:
        try:
            await asyncio.to_thread(parcel.data_set)
        except (OSError, ValueError) as error:
            return outcome.of_own_bytes(error)
        opening, closing, content_type = _envelope()
        length = len(opening) + parcel.span.size_bytes + len(closing)
        headers = {"Content-Type": content_type, "Content-Length": str(length)}
        body = _body(opening, parcel, closing)
        try:
            async with (
                aclosing(body),
                client.stream(
                    "POST", f"{self.url.rstrip('/')}/studies", content=body, headers=headers
                ) as response,
            ):
                return sort(response.status_code, await _beginning(response))
        except httpx.ConnectError as error:
            raise DestinationError("unreachable") from error
        except httpx.TimeoutException as error:
            raise DestinationError("timed_out") from error
        except httpx.HTTPError as error:
            raise DestinationError("lost") from error
        except OSError as error:
            raise DestinationError("own_disk") from error

    async def _store_decoded(self, client: httpx.AsyncClient, parcel: Parcel) -> Outcome:
        try:
            path = await self.decode(parcel, EXPLICIT_LITTLE)
        except UndecodableError:
            return outcome.NOT_DECODED
        try:
            whole = Span(offset=0, size_bytes=path.stat().st_size)
            return await self._store(client, replace(parcel, path=path, span=whole))
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def sort(status: int, answer: bytes) -> Outcome:
    """Sort an answer: what it says of the instance counts, else its status."""
    said = _words(answer) if status in _SAYS_MORE else {}
    if (reason := _first(said, _FAILED, _REASON)) is not None:
        failed = outcome.of_dimse(reason)
        unclear = Outcome(Fate.AT_FAULT, "failure")
        return failed if failed not in (outcome.STORED, outcome.WARNING) else unclear
    if _STORED in said:
        is_odd = _first(said, _STORED, _WARNING) is not None
        return outcome.WARNING if is_odd else outcome.STORED
    if status == httpx.codes.ACCEPTED:  # some instance failed, and there was one
        return Outcome(Fate.AT_FAULT, "failure")
    return outcome.of_http(status)


def _words(answer: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(answer)
    except ValueError:
        return {}
    if isinstance(said, list) and said:
        said = said[0]
    return said if isinstance(said, dict) else {}


def _first(said: Mapping[str, Any], sequence: str, attribute: str) -> int | None:
    """Return a number of the first item of a sequence (DICOM JSON, PS3.18 F.2); else None."""
    try:
        return int(said[sequence]["Value"][0][attribute]["Value"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _envelope() -> tuple[bytes, bytes, str]:
    boundary = secrets.token_hex(16)  # 128 bits by chance: no object holds them
    opening = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return opening, f"\r\n--{boundary}--\r\n".encode(), content_type


async def _body(opening: bytes, parcel: Parcel, closing: bytes) -> AsyncGenerator[bytes, None]:
    yield opening
    left = parcel.span.size_bytes
    with reading(parcel.path, parcel.span) as pieces:
        while left:
            block = await asyncio.to_thread(next, pieces)
            left -= len(block)
            yield block
    yield closing


async def _beginning(response: httpx.Response) -> bytes:
    content = b""
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            return b""
    return content
