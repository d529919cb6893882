"""Sentences come in the reader's language; codes, and what is stored, do not change."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sonogate.api.app import make_app
from sonogate.domain.verdict import Finding
from sonogate.messages import LANGUAGES, text
from tests.service.api.conftest import OBJECT_ID, Door, make_study, make_verdict

BLURRED: dict[str, Any] = {
    "reason": "The near field is blurred",
    "reason_code": "finding.blurred",
    "findings": [
        Finding(code="blurred", label="The near field is blurred", where="near", severity=0.9)
    ],
}
GERMAN = {"Accept-Language": "de-AT, de;q=0.9, en;q=0.5"}


@pytest.fixture
def told(door: Door) -> Door:
    """A door whose every verdict is of a blurred image."""
    verdict = make_verdict(**BLURRED)
    study = make_study()
    shown = study.instances[0].model_copy(update={"verdict": verdict})
    door.studies.verdicts["1.2.3"] = verdict
    door.studies.by_object[OBJECT_ID] = verdict
    door.studies.studies["1.2"] = study.model_copy(
        update={"instances": [shown], "sender_advice": "sender_sends_late"}
    )
    door.verdict = verdict
    return door


def verdicts_in(body: Any) -> list[dict[str, Any]]:
    """Return every verdict of an answer."""
    if isinstance(body, list):
        return [one for each in body for one in verdicts_in(each)]
    if isinstance(body, dict) and "reason_code" in body and "status" in body:
        return [body]
    return [] if not isinstance(body, dict) else verdicts_in(list(body.values()))


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/instances/1.2.3", {}),
    ("GET", "/v1/instances/1.2.3/versions", {}),
    ("GET", f"/v1/objects/{OBJECT_ID}", {}),
    ("GET", "/v1/studies/1.2", {}),
    ("POST", "/v1/studies/1.2/close", {"json": {"by": "x"}}),
    ("POST", "/v1/studies/1.2/questions/2", {"json": {"older": 1, "replaces": True, "by": "x"}}),
    ("POST", "/v1/instances/1.2.3/override", {"json": {"band": "low", "reason": "x"}}),
    (
        "POST",
        "/v1/verdicts",
        {"content": b"\x89PNG\r\n\x1a\n", "headers": {"Content-Type": "image/png"}},
    ),
]


@pytest.mark.parametrize(("method", "path", "more"), CALLS)
async def test_every_route_says_a_verdict_in_the_reader_s_language(
    told: Door, method: str, path: str, more: dict[str, Any]
) -> None:
    """German asked, German answered, and named; the codes are those that are stored."""
    headers = {**more.get("headers", {}), **GERMAN}
    async with told.client() as client:
        answer = await client.request(method, path, **{**more, "headers": headers})

    assert "de" == answer.headers["content-language"]
    assert "Accept-Language" == answer.headers["vary"]
    (verdict,) = verdicts_in(answer.json())
    assert ["Das Nahfeld ist unscharf", text("finding.blurred.action", "de")] == [
        verdict["reason"],
        verdict["action"],
    ]
    assert "Das Nahfeld ist unscharf" == verdict["findings"][0]["label"]
    assert ("finding.blurred", "near") == (
        verdict["reason_code"],
        verdict["findings"][0]["where"],
    )
    assert told.studies.verdicts["1.2.3"].reason == "The near field is blurred"


async def test_without_a_wish_the_site_s_language_is_spoken(told: Door) -> None:
    """Also of what was stored in another one."""
    app = make_app(replace(told.ports, language="fr"), told.settings)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        answer = await client.get("/v1/studies/1.2")
        words = (await client.get("/web/words.json", headers=GERMAN)).json()

    (verdict,) = verdicts_in(answer.json())
    assert "Le champ proche manque de netteté" == verdict["reason"]
    assert text("sender_sends_late", "fr") == answer.json()["sender_advice"]
    assert ["de", "Erneut" not in words, list(LANGUAGES)] == [
        words["language"],
        True,
        list(words["languages"]),
    ]
    assert text("page.because.trace", "de") == words["words"]["because.trace"]
    assert text("page.because.trace", "fr") == words["stored"]["because.trace"]


async def test_advice_and_actions_are_translated_too(told: Door) -> None:
    """What the page reads beside the verdicts."""
    async with told.client(**GERMAN) as client:
        senders = (await client.get("/v1/senders")).json()
        findings = (await client.get("/v1/findings")).json()

    assert text("sender_sends_late", "de") == senders[0]["advice"]
    assert text("finding.too_dark.action", "de") in [each["action"] for each in findings]


async def test_the_page_s_words_need_no_token(make_door: Any) -> None:
    """It asks for the token in words."""
    async with make_door(token="k" * 32).client(**GERMAN) as client:
        answer = await client.get("/web/words.json")

    assert 200 == answer.status_code
    assert text("page.token.title", "de") == answer.json()["words"]["token.title"]


async def test_events_are_in_the_reader_s_language(told: Door, port: int) -> None:
    """The journal's own text stays; one that this release can't read passes untouched."""
    whole = told.studies.verdicts["1.2.3"].model_dump(mode="json")
    told.feed.add(verdict=whole, number=1)
    told.feed.add(verdict={"later": True})
    said: list[dict[str, Any]] = []
    url = f"http://127.0.0.1:{port}/v1/events"
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        headers = {**GERMAN, "Last-Event-ID": "0"}
        async with client.stream("GET", url, headers=headers) as stream:
            assert "de" == stream.headers["content-language"]
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    said.append(json.loads(line.removeprefix("data: ")))
                if len(said) == 3:
                    break

    assert "Das Nahfeld ist unscharf" == said[1]["verdict"]["reason"]
    assert {"later": True} == said[2]["verdict"]
    assert whole == told.feed.events[0].body["verdict"]
