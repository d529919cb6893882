"""The way to a server, over real sockets: whatever it does is text or a reason, and bounded."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from sonogate.act.advice.answers import AdviceError
from sonogate.act.advice.endpoint import Endpoint
from sonogate.act.advice.prompts import Question
from sonogate.domain.advice import AdviceKind, AdviceReason
from sonogate.receive.tls import adviser_context
from sonogate.settings import AdviceSettings
from tests.advice_server import (
    GOOD,
    Act,
    AdviceServer,
    breaks_off,
    completion,
    hangs,
    raw,
    says,
    status,
    streams,
    trickles,
)

QUESTION = Question(kind=AdviceKind.REMARK, pictures=(b"\x89PNG", b"\x89PNG2"))


@pytest.fixture
def server() -> Iterator[AdviceServer]:
    """A server that gives a good answer until told otherwise."""
    with AdviceServer() as server:
        yield server


def settings_of(url: str, **more: Any) -> AdviceSettings:
    """Point at a server."""
    return AdviceSettings(url=url, model="tiny", **({"timeout_seconds": 2.0} | more))


async def said_by(url: str, **more: Any) -> str:
    """Ask once."""
    endpoint = Endpoint(settings=settings_of(url, **more), make_tls=adviser_context)
    try:
        return await endpoint.say(QUESTION)
    finally:
        await endpoint.close()


async def reason_of(url: str, **more: Any) -> AdviceError:
    """Ask once, in vain."""
    with pytest.raises(AdviceError) as caught:
        await said_by(url, **more)
    return caught.value


async def test_a_good_answer_comes_through(server: AdviceServer) -> None:
    """The request is the protocol's; the answer is the model's own words."""
    said = await said_by(server.url, max_output_tokens=77)
    (asked,) = server.asked

    assert GOOD == json.loads(said)
    assert ["system", "user"] == [each["role"] for each in asked.body["messages"]]
    assert 2 == len(asked.pictures)
    assert 77 == asked.body["max_tokens"]
    assert "Authorization" not in asked.headers
    assert "json_schema" == asked.body["response_format"]["type"]


async def test_a_schema_is_asked_for_only_where_it_is_known(server: AdviceServer) -> None:
    """Some servers refuse the request over it."""
    await said_by(server.url, json_schema=False)

    assert "response_format" not in server.asked[0].body


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (status(500), "server_error"),
        (status(502), "server_error"),
        (status(503), "busy"),
        (status(429), "busy"),
        (status(401), "denied"),
        (status(403), "denied"),
        (status(400), "refused"),
        (status(404), "refused"),
        (status(204), "refused"),
        (status(302, Location="http://127.0.0.1:9/"), "refused"),
        (raw(b"<html>hello</html>"), "malformed"),
        (raw(b""), "malformed"),
        (raw(b"{}"), "malformed"),
        (raw(b"[" * 60_000), "malformed"),
        (raw(json.dumps({"choices": []}).encode()), "malformed"),
        (raw(json.dumps({"choices": [{"message": {"content": [1]}}]}).encode()), "malformed"),
        (raw(b"\x1f\x8b", Content_Encoding="gzip"), "malformed"),
        (says(None), "malformed"),
        (says(""), "malformed"),
        (says(None, message={"refusal": "I can't help with that."}), "declined"),
        (says("No.", finish_reason="content_filter"), "declined"),
        (hangs, "timed_out"),
        (trickles, "timed_out"),
        (streams, "too_long"),
        (raw(json.dumps(completion("x" * 200_000)).encode()), "too_long"),
        (breaks_off, "unreachable"),
    ],
)
async def test_everything_else_is_a_reason(server: AdviceServer, act: Act, reason: str) -> None:
    """Within its time, whatever the server does."""
    server.act = act
    started = time.monotonic()
    error = await reason_of(server.url)

    assert reason == error.reason
    assert time.monotonic() - started < 20


async def test_a_busy_server_says_when_to_come_back(server: AdviceServer) -> None:
    """Retry-After is minded, up to a bound."""
    server.act = status(429, Retry_After="7")
    seven = await reason_of(server.url)
    server.act = status(429, Retry_After="999999999")
    far = await reason_of(server.url)
    server.act = status(429, Retry_After="-1")
    odd = await reason_of(server.url)

    assert [7.0, 300.0, 0.0] == [each.retry_after_seconds for each in (seven, far, odd)]


async def test_nobody_there_is_unreachable() -> None:
    """A port where nobody listens, and a name that is none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused = await reason_of(f"http://127.0.0.1:{port}/v1")
    unknown = await reason_of("http://adviser.invalid/v1")

    assert [AdviceReason.UNREACHABLE] * 2 == [refused.reason, unknown.reason]


async def test_no_proxy_of_the_environment_gets_the_pictures(
    server: AdviceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to the server of the settings, and nowhere else."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    assert await said_by(server.url)


async def test_tls_is_checked_against_the_authority_of_the_settings(tmp_path: Path) -> None:
    """The right authority lets it through, another one does not."""
    ours, theirs = trustme.CA(), trustme.CA()
    for name, authority in (("ours.pem", ours), ("theirs.pem", theirs)):
        authority.cert_pem.write_to_path(tmp_path / name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    body = json.dumps(completion(json.dumps(GOOD))).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        said = await said_by(url, tls_ca=tmp_path / "ours.pem")
        error = await reason_of(url, tls_ca=tmp_path / "theirs.pem")

    assert GOOD == json.loads(said)
    assert AdviceReason.UNREACHABLE == error.reason
