"""Who may speak to the door."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonogate.api.security import host_name

if TYPE_CHECKING:
    from tests.service.api.conftest import Door, MakeDoor

WISH = {"band": "high", "reason": "r", "by": "b"}
OVERRIDE = "/v1/instances/1.2.3/override"
TOKEN = "t" * 32


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "[::1]"],
)
async def test_loopback_names_are_ours(door: Door, host: str) -> None:
    """Any port and spelling of loopback is served."""
    async with door.client(Host=host) as client:
        assert 200 == (await client.get("/v1/studies")).status_code


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil@localhost",
        "localhost/evil",
        "localhost:port",
        "",
        "2130706433",
        "127.0.0.2",
    ],
)
@pytest.mark.parametrize("path", ["/v1/studies", "/", "/metrics", "/openapi.json", "/v1/events"])
async def test_a_rebound_name_is_refused_everywhere(door: Door, host: str, path: str) -> None:
    """DNS rebinding: a page at another name that points here reads nothing."""
    async with door.client(Host=host) as client:
        answer = await client.get(path)

    assert (421, "unknown_host") == (answer.status_code, answer.json()["error"])


async def test_a_site_may_name_its_gate(make_door: MakeDoor) -> None:
    """Names in allowed_hosts are served, with any port, and their pages may change things."""
    door = make_door(allowed_hosts=("Gate.Hospital.example",))
    headers = {"Host": "gate.hospital.example:443", "Origin": "https://gate.hospital.example"}
    async with door.client(**headers) as client:
        assert 200 == (await client.get("/v1/studies")).status_code
        assert 200 == (await client.post(OVERRIDE, json=WISH)).status_code


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://localhost.evil.example:8080",
        "http://127.0.0.1",
        "null",
        "file://",
        "http://127.0.0.1:8080@evil.example",
        "http://127.0.0.1:8080/",
        "",
    ],
)
async def test_no_other_page_changes_anything(door: Door, origin: str) -> None:
    """Every change, and the event stream, is refused to another origin, unseen by the gate."""
    async with door.client(Origin=origin) as client:
        answers = [
            await client.post(OVERRIDE, json=WISH),
            await client.delete(OVERRIDE),
            await client.post("/v1/studies/1.2/close"),
            await client.post("/v1/studies/1.2/questions/2", json={}),
            await client.post("/v1/verdicts", content=b"\x89PNG\r\n\x1a\n"),
            await client.get("/v1/events"),
        ]

    assert [403] * 6 == [answer.status_code for answer in answers]
    assert (0, []) == (door.n_changes, door.submitted)


async def test_our_own_page_changes_things(door: Door) -> None:
    """The page's origin equals the Host it was loaded from."""
    async with door.client(Origin="http://127.0.0.1:8080") as client:
        assert 200 == (await client.post(OVERRIDE, json=WISH)).status_code


async def test_a_browser_that_says_cross_site_is_believed(door: Door) -> None:
    """Even where no Origin is sent, Fetch metadata gives the foreign page away."""
    async with door.client(**{"Sec-Fetch-Site": "cross-site"}) as client:
        assert 403 == (await client.get("/v1/studies")).status_code
        assert 403 == (await client.post(OVERRIDE, json=WISH)).status_code
        assert 200 == (await client.get("/")).status_code


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain;application/json", "application/x-www-form-urlencoded"],
)
async def test_a_form_can_not_speak_json(door: Door, content_type: str) -> None:
    """A body that a form can send without asking first is refused, whatever it holds."""
    async with door.client(**{"Content-Type": content_type}) as client:
        answer = await client.post(OVERRIDE, content=b'{"band":"high","reason":"r","by":"b"}')

    assert 415 == answer.status_code
    assert 0 == door.n_changes


async def test_a_token_is_asked_for_everywhere_but_the_empty_page(make_door: MakeDoor) -> None:
    """With a token set only liveness and the page's own files, which hold no data, are open."""
    door = make_door(token=TOKEN)
    closed = ["/v1/studies", "/v1/events", "/metrics", "/health/ready", "/openapi.json", "/v1/x"]
    open_paths = ["/health/live", "/", "/web/app.js"]
    async with door.client() as client:
        refused = [(await client.get(path)) for path in closed]
        served = [(await client.get(path)).status_code for path in open_paths]
        changed = await client.post(OVERRIDE, json=WISH)

    assert {401} == {answer.status_code for answer in [*refused, changed]}
    assert {"Bearer"} == {answer.headers["www-authenticate"] for answer in refused}
    assert [200, 200, 200] == served
    assert TOKEN not in refused[0].text


@pytest.mark.parametrize(
    ("given_token", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer ", 401),
        ("Bearer \u00e9", 401),
        (TOKEN, 401),
    ],
)
async def test_only_the_token_opens(make_door: MakeDoor, given_token: str, status: int) -> None:
    """Neither a part of it nor more than it."""
    door = make_door(token=TOKEN)
    async with door.client() as client:
        headers = {b"Authorization": given_token.encode()}
        answer = await client.get("/v1/studies", headers=headers)

    assert status == answer.status_code


@pytest.mark.parametrize("path", ["/", "/web/app.css", "/v1/studies", "/v1/nothing", "/metrics"])
async def test_every_answer_carries_the_security_headers(
    client: httpx.AsyncClient, path: str
) -> None:
    """Also errors; and no cache keeps an answer of the API."""
    headers = (await client.get(path)).headers

    assert "nosniff" == headers["x-content-type-options"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    is_page = path == "/" or path.startswith("/web/")
    assert ("no-cache" if is_page else "no-store") == headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/web/../api/app.py", "/web/%2e%2e/api/app.py", "/web/..%2fsettings.py", "/web//etc/passwd"],
)
async def test_the_page_serves_only_its_own_files(port: int, path: str) -> None:
    """No spelling of a path leads out of the folder."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b" 404 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/studies HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/studies HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/v1/studies HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/studies HTTP/1.0\r\n\r\n",
    ],
)
async def test_a_real_server_refuses_foreign_hosts(port: int, head: bytes) -> None:
    """Over a socket, as a browser would: two hosts, a foreign one, an absolute form, none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()

    assert any(code in status for code in (b" 421 ", b" 400 "))


@given(st.text(max_size=40))
def test_a_host_is_never_read_out_of_nonsense(text: str) -> None:
    """Whatever a Host header holds, only plain names come out, and nothing is raised."""
    name = host_name(text)

    assert not set(name) & set("/@?# \t\r\n")


PATHS = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), max_size=60)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=PATHS, body=st.binary(max_size=200))
async def test_hostile_input_is_refused_and_never_a_fault(
    make_door: MakeDoor, path: str, body: bytes
) -> None:
    """Random names and bodies end in a clear 4xx of the one form, never in a 5xx."""
    door = make_door()
    name = "/" + quote(path, safe="/.%")
    json = {"Content-Type": "application/json"}
    async with door.client() as client:
        answers = [
            await client.get("/v1/instances" + name),
            await client.get("/v1/studies" + name),
            await client.get("/v1/objects" + name),
            await client.get("/v1/events", params={"last_event_id": path + "x"}),
            await client.post("/v1/verdicts", content=body),
            await client.post(OVERRIDE, content=body, headers=json),
        ]

    assert all(answer.status_code < 500 for answer in answers)
    for answer in answers:
        if answer.status_code >= 400:
            assert {"error", "message", "remedy"} == set(answer.json())


def test_static_files_hold_nothing_foreign() -> None:
    """The page names no other machine and builds no markup from text: it works with no internet."""
    web = Path(__file__).parents[3] / "service/src/sonogate/web"
    for file in web.iterdir():
        text = file.read_text()
        assert "innerHTML" not in text, file.name
        assert "document.write" not in text, file.name
        assert not [word for word in text.split() if "://" in word and "www.w3.org" not in word]
