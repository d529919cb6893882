"""Rejecting over HTTP: what is possible, what is rejected now, and taking it back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sonogate.act.results import maker as maker_module
from sonogate.act.results.codes import FINDINGS, REASONS
from sonogate.act.results.published import PublishedResults
from sonogate.api.app import make_app
from sonogate.domain.verdict import Band, Doubt, Status
from tests.service.act.results.ward import STUDY, Ward, ward, write_here

if TYPE_CHECKING:
    from tests.service.api.conftest import Door, MakeDoor

pytestmark = pytest.mark.integration

PATH = "/v1/instances/1.2.3.1/rejection"
TOKEN = "a-token-of-twenty-four-characters"  # noqa: S105 - of a test's own door
ROUTES = (("GET", "/v1/rejections"), ("GET", PATH), ("POST", PATH), ("DELETE", PATH))


@asynccontextmanager
async def webbed(
    door: Door, folder: Path, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Ward]]:
    """A door over a study of one low image, with the real studies and results behind it."""
    async with ward(folder, **settings) as one:
        await one.add(Band.LOW)
        by = one.settings.rejections_by
        published = PublishedResults(one.database, one.shelf, rejections_by=by)
        ports: Any = replace(door.ports, results=published, studies=one.studies)
        door.app = make_app(ports, door.settings)
        async with door.client() as client:
            yield client, one


@pytest.fixture
async def web(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[httpx.AsyncClient, Ward]]:
    """Rejections are on."""
    monkeypatch.setattr(maker_module, "write_all", write_here)
    async with webbed(door, tmp_path) as both:
        yield both


async def shown(client: httpx.AsyncClient) -> list[dict[str, Any] | None]:
    """Return the rejection of each image of the study."""
    study = (await client.get(f"/v1/studies/{STUDY}")).json()
    return [instance["rejection"] for instance in study["instances"]]


async def test_a_rejection_goes_over_rest(web: tuple[httpx.AsyncClient, Ward]) -> None:
    """Reject, see what was made of it, take it back; a reason that is none is refused."""
    client, one = web
    await one.close()
    await one.make()
    wrong = await client.post(PATH, json={"reason": "999"})
    right = await client.post(PATH, json={"reason": "111210", "by": "dr"})
    await one.make()
    listed = (await client.get(f"/v1/studies/{STUDY}/results")).json()
    revoked = await client.request("DELETE", PATH, json={"by": "dr"})
    again = await client.delete(PATH)

    assert [422, 200, 200, 409] == [each.status_code for each in (wrong, right, revoked, again)]
    assert ["advice", "rejection", "report", "report"] == sorted(row["kind"] for row in listed)
    assert 2 == sum(row["holds"] for row in listed)
    for row in listed:
        assert 200 == (await client.get(row["retrieve_path"])).status_code


async def test_what_is_rejected_is_seen_at_the_study_and_at_the_instance(
    web: tuple[httpx.AsyncClient, Ward],
) -> None:
    """Reason, its meaning, who and how; null before, and null after it was taken back."""
    client, _ = web
    before = await shown(client), (await client.get(PATH)).json()
    await client.post(PATH, json={"reason": "111210", "by": "dr"})
    (held,) = await shown(client)
    alone = (await client.get(PATH)).json()
    await client.delete(PATH)
    after = await shown(client), (await client.get(PATH)).json()

    assert held is not None
    assert ("111210", "Motion blur", "call", "dr") == tuple(
        held[name] for name in ("reason", "meaning", "through", "by")
    )
    assert held == alone
    assert ([None], None) == before == after


async def test_an_override_to_low_is_seen_as_the_rejection_that_it_is(
    web: tuple[httpx.AsyncClient, Ward],
) -> None:
    """With its nearest reason; not to be taken back as a call, but gone with the override."""
    client, _ = web
    override = PATH.replace("rejection", "override")
    await client.post(override, json={"band": "low", "reason": "Wrong plane", "by": "MK"})
    (held,) = await shown(client)
    refused = await client.delete(PATH)
    await client.delete(override)

    assert held is not None
    assert ("111207", "override", "MK") == (held["reason"], held["through"], held["by"])
    assert 409 == refused.status_code
    assert [None] == await shown(client)


async def test_an_override_rejects_nothing_where_only_a_call_does(
    door: Door, tmp_path: Path
) -> None:
    """The study says what the results will say."""
    async with webbed(door, tmp_path, reject_by="call") as (client, _):
        override = PATH.replace("rejection", "override")
        await client.post(override, json={"band": "low", "reason": "Wrong plane", "by": "MK"})
        rules = (await client.get("/v1/rejections")).json()

        assert [None] == await shown(client)
        assert (True, "call") == (rules["enabled"], rules["reject_by"])


async def test_a_person_who_settles_a_doubt_rejects_nothing(
    web: tuple[httpx.AsyncClient, Ward],
) -> None:
    """That a doubtful low is an image is no word against it."""
    client, one = web
    uid = await one.add(Band.LOW, doubt=Doubt(code="m_mode"))
    wish = {"band": "low", "reason": "It is an image", "by": "MK"}
    await client.post(f"/v1/instances/{uid}/override", json=wish)

    assert [None, None] == await shown(client)


async def test_the_policy_is_named_where_it_rejects(door: Door, tmp_path: Path) -> None:
    """A low that a good re-acquisition replaced: no person's word, and it says so."""
    async with webbed(door, tmp_path, reject_by="policy") as (client, one):
        await one.add(Band.LOW, view="liver")
        await one.add(Band.HIGH, view="liver")
        held = [each and (each["through"], each["by"]) for each in await shown(client)]

        assert [None, ("policy", "policy"), None] == held


async def test_what_no_note_can_speak_of_is_not_rejected(
    web: tuple[httpx.AsyncClient, Ward],
) -> None:
    """An object that is no image: refused, and nothing of it is kept."""
    client, one = web
    await one.add(None, status=Status.NOT_APPLICABLE)
    path = PATH.replace("1.2.3.1", "1.2.3.2")
    refused = await client.post(path, json={"reason": "111210"})

    assert (409, "not_in_this_state") == (refused.status_code, refused.json()["error"])
    assert {} == await one.database.read(lambda tx: tx.rejections.active_of_study(STUDY))


async def test_the_rules_name_every_reason_with_its_words(
    web: tuple[httpx.AsyncClient, Ward],
) -> None:
    """A client needs no list of its own, nor to know which reason is nearest to a finding."""
    client, _ = web
    rules = (await client.get("/v1/rejections")).json()
    reasons = {reason["code"]: reason for reason in rules["reasons"]}

    assert (True, "override") == (rules["enabled"], rules["reject_by"])
    assert {code: each.meaning for code, each in REASONS.items()} == {
        code: reason["meaning"] for code, reason in reasons.items()
    }
    assert all(reason["words"] for reason in reasons.values())
    assert {name: own.nearest for name, own in FINDINGS.items()} == {
        finding: code for code, reason in reasons.items() for finding in reason["findings"]
    }
    assert not reasons["111208"]["of_ultrasound"]
    assert reasons["111210"]["of_ultrasound"]


async def test_a_gate_without_rejections_says_so(client: httpx.AsyncClient) -> None:
    """Nothing is recorded that would lead to nothing, and one can know before asking."""
    rules = (await client.get("/v1/rejections")).json()
    response = await client.post(PATH.replace("1.2.3.1", "1.2.3"), json={"reason": "111210"})

    assert (False, None) == (rules["enabled"], rules["reject_by"])
    assert (409, "rejections_off") == (response.status_code, response.json()["error"])


async def test_a_rejection_of_other_days_is_not_shown_once_rejecting_is_off(
    door: Door, tmp_path: Path
) -> None:
    """The same database, rejections switched off since: nothing will be sent, nothing is said."""
    async with webbed(door, tmp_path) as (client, _):
        await client.post(PATH, json={"reason": "111210"})
    async with ward(tmp_path, objects=("report",)) as one:
        study = await one.studies.get(STUDY)

    assert [None] == [instance.rejection for instance in study.instances]


async def test_what_was_never_received_is_not_found(web: tuple[httpx.AsyncClient, Ward]) -> None:
    """In the one form of errors."""
    client, _ = web
    response = await client.get("/v1/instances/9.9/rejection")

    assert (404, "unknown_instance") == (response.status_code, response.json()["error"])


async def test_every_way_to_reject_asks_for_the_token(make_door: MakeDoor) -> None:
    """As everything that reads a study does."""
    async with make_door(token=TOKEN).client() as client:
        answers = [await client.request(method, path) for method, path in ROUTES]

    assert [401] * len(ROUTES) == [answer.status_code for answer in answers]
