"""Reading and changing instances, objects, studies and senders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sonogate.api import problems
from sonogate.domain.study import Study
from sonogate.domain.verdict import Verdict
from sonogate.errors import GateError, LookupFailure, ReceiveError
from sonogate.observe.health import Check

if TYPE_CHECKING:
    from tests.service.api.conftest import Door

OBJECT_ID = "01J00000000000000000000001"


def leaves(kind: type[GateError]) -> list[type[GateError]]:
    """Return the leaves below an error."""
    below = kind.__subclasses__()
    return [leaf for child in below for leaf in leaves(child)] if below else [kind]


@pytest.mark.parametrize("error", [*leaves(LookupFailure), *leaves(ReceiveError)])
def test_every_error_a_caller_can_cause_has_an_answer(error: type[GateError]) -> None:
    """A new error can't reach a client before someone decides what to answer."""
    assert error in problems.ANSWERS


async def test_a_verdict_is_read_exactly_as_recorded(door: Door, client: httpx.AsyncClient) -> None:
    """GET answers the verdict JSON: no field more, none less."""
    answer = await client.get("/v1/instances/1.2.3")

    assert 200 == answer.status_code
    assert Verdict.model_validate(answer.json()) == door.studies.verdicts["1.2.3"]
    assert set(Verdict.model_fields) == set(answer.json())


async def test_a_verdict_can_be_asked_for_by_content(client: httpx.AsyncClient) -> None:
    """In a conflict each content has its verdict."""
    found = await client.get("/v1/instances/1.2.3", params={"content_sha256": "a" * 64})
    other = await client.get("/v1/instances/1.2.3", params={"content_sha256": "b" * 64})
    versions = await client.get("/v1/instances/1.2.3/versions")

    assert [200, 404] == [found.status_code, other.status_code]
    assert ["a" * 64] == [version["content_sha256"] for version in versions.json()]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/instances/1.2.3/{}.png",
        f"/v1/objects/{OBJECT_ID}/{{}}.png",
    ],
)
@pytest.mark.parametrize("kind", ["thumbnail", "heatmap"])
async def test_pictures_are_png_and_never_cached(
    client: httpx.AsyncClient, path: str, kind: str
) -> None:
    """Each picture is of its kind, and no cache keeps what is a patient's."""
    answer = await client.get(path.format(kind))

    assert ("image/png", "no-store") == (
        answer.headers["content-type"],
        answer.headers["cache-control"],
    )
    assert answer.content.endswith(kind.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/instances/9.9",
        "/v1/instances/9.9/versions",
        "/v1/instances/9.9/thumbnail.png",
        "/v1/objects/01J00000000000000000000009",
        "/v1/objects/01J00000000000000000000009/heatmap.png",
        "/v1/studies/9.9",
        "/v1/nothing/here",
        "/docs",
        "/redoc",
    ],
)
async def test_what_is_not_here_is_404_in_the_one_form(
    client: httpx.AsyncClient, path: str
) -> None:
    """Unknown names and routes are answered alike; pages that need the internet are off."""
    answer = await client.get(path)

    assert 404 == answer.status_code
    assert {"error", "message", "remedy"} == set(answer.json())


async def test_an_override_is_told_counted_and_can_be_taken_back(
    door: Door, client: httpx.AsyncClient
) -> None:
    """A person's word counts at once; taking it back brings the machine's word back."""
    wish = {"band": "high", "reason": "The shadow is the finding", "by": "MK"}
    given = await client.post("/v1/instances/1.2.3/override", json=wish)
    revoked = await client.delete("/v1/instances/1.2.3/override", params={"by": "MK"})
    again = await client.delete("/v1/instances/1.2.3/override")

    assert ("high", "low") == (given.json()["override"]["band"], given.json()["band"])
    assert revoked.json()["override"] is None
    assert (409, "not_in_this_state") == (again.status_code, again.json()["error"])
    assert 2 == door.n_changes
    counted = door.metrics.registry.get_sample_value(
        "sonogate_overrides_total", {"from_band": "low", "to_band": "high"}
    )
    assert 1 == counted


@pytest.mark.parametrize(
    "wish",
    [
        {"band": "good", "reason": "r", "by": "b"},
        {"band": "high", "reason": "  ", "by": "b"},
        {"band": "high"},
        {"band": "high", "reason": "r", "by": " "},
        {"band": "high", "reason": "r" * 301, "by": "b"},
        {"band": "high", "reason": "r", "by": "b", "at": "now"},
        [],
        "high",
    ],
)
async def test_an_override_without_band_and_reason_is_refused(
    door: Door, client: httpx.AsyncClient, wish: Any
) -> None:
    """Nothing is changed, and what was sent is not echoed."""
    answer = await client.post("/v1/instances/1.2.3/override", json=wish)

    assert (422, "invalid_request") == (answer.status_code, answer.json()["error"])
    assert 0 == door.n_changes


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        ({"by": "MK"}, {}, "MK"),
        ({"by": "MK"}, {"by": "RN"}, "MK"),
        (None, {"by": "RN"}, "RN"),
        ({}, {}, "rest"),
        (None, {"by": " "}, "rest"),
    ],
)
async def test_who_takes_an_override_back_is_said_in_body_or_query(
    door: Door, client: httpx.AsyncClient, body: Any, query: dict[str, str], expected: str
) -> None:
    """Who names nobody is written down as the REST door, in both directions."""
    path = "/v1/instances/1.2.3/override"
    given = await client.post(path, json={"band": "high", "reason": "r"})
    more = {} if body is None else {"json": body}
    answer = await client.request("DELETE", path, params=query, **more)

    assert ("rest", 200) == (given.json()["override"]["by"], answer.status_code)
    assert [expected] == door.studies.revoked_by


async def test_studies_are_listed_read_closed_and_asked(
    door: Door, client: httpx.AsyncClient
) -> None:
    """The life of a study over HTTP; closing twice counts once."""
    listed = await client.get("/v1/studies", params={"status": "receiving"})
    none = await client.get("/v1/studies", params={"status": "closed"})
    read = await client.get("/v1/studies/1.2")
    answered = await client.post(
        "/v1/studies/1.2/questions/2", json={"older": 1, "replaces": True, "by": "MK"}
    )
    closed = await client.post("/v1/studies/1.2/close", json={"by": "MK"})
    await client.post("/v1/studies/1.2/close")

    assert ["1.2"] == [study["study_instance_uid"] for study in listed.json()]
    assert "instances" not in listed.json()[0]
    assert [] == none.json()
    assert Study.model_validate(read.json()).reacquire == [1]
    assert 200 == answered.status_code
    assert [("1.2", 2, 1, True, "MK")] == door.studies.answers
    assert "closed" == closed.json()["status"]
    value = door.metrics.registry.get_sample_value
    assert 1 == value("sonogate_studies_closed_total", {"closed_by": "rest", "state": "not_ready"})
    assert 1 == value("sonogate_reacquired_total", {"how": "person"})


async def test_what_nobody_judged_is_counted_at_close(
    door: Door, client: httpx.AsyncClient
) -> None:
    """Unscorable objects count like pending ones: the alert asks who looked at them."""
    door.studies.studies["1.2"] = door.studies.studies["1.2"].model_copy(
        update={"pending": 1, "unscored": [3, 4, 5, 6, 7]}
    )
    await client.post("/v1/studies/1.2/close")

    assert 6 == door.metrics.registry.get_sample_value("sonogate_unscored_at_close_total")


async def test_senders_are_described(client: httpx.AsyncClient) -> None:
    """Who sends late is known by name and seconds."""
    sender = (await client.get("/v1/senders")).json()[0]

    assert ("CART1", 900.0, False) == (
        sender["calling_ae"],
        sender["sends_late_seconds"],
        sender["clock_skewed"],
    )
    assert "switch it to send per image" in sender["advice"]


async def test_a_late_sender_is_told_in_words_on_its_study(
    door: Door, client: httpx.AsyncClient
) -> None:
    """The tracker keeps a key; the page gets the sentence."""
    study = door.studies.studies["1.2"].model_copy(update={"sender_advice": "sender_sends_late"})
    door.studies.studies["1.2"] = study

    read = await client.get("/v1/studies/1.2")
    closed = await client.post("/v1/studies/1.2/close")

    for answer in (read, closed):
        assert "switch it to send per image" in answer.json()["sender_advice"]


async def test_readiness_says_what_is_wrong(door: Door, client: httpx.AsyncClient) -> None:
    """Ready is 200; not ready is 503 with the failed check in words."""
    ready = await client.get("/health/ready")
    door.checks["disk"] = Check(ok=False, detail="3 MiB free on the spool's disk")
    not_ready = await client.get("/health/ready")

    assert [200, 503] == [ready.status_code, not_ready.status_code]
    assert "3 MiB" in not_ready.json()["checks"]["disk"]["detail"]


async def test_metrics_count_requests_by_route_template(
    door: Door, client: httpx.AsyncClient
) -> None:
    """No UID and no made-up path becomes a label; each answer is counted once."""
    for path in ("/v1/instances/1.2.3", "/v1/instances/9.9", "/v1/x1", "/v1/x2", "/web/app.css"):
        await client.get(path)
    text = (await client.get("/metrics")).text

    samples = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "sonogate_http_requests_total"
    }
    assert {
        ("/v1/instances/{sop_instance_uid}", "2xx"): 1.0,
        ("/v1/instances/{sop_instance_uid}", "4xx"): 1.0,
        ("unmatched", "4xx"): 2.0,
        ("/web", "2xx"): 1.0,
    } == samples
    assert "9.9" not in text


async def test_a_fault_inside_the_gate_says_nothing_of_the_patient(
    door: Door, client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error is 500 in the one form; its text reaches neither answer nor log."""
    door.studies.error = ValueError("CANARY^PATIENT")

    answer = await client.get("/v1/instances/1.2.3")

    assert (500, "internal_error") == (answer.status_code, answer.json()["error"])
    captured = capsys.readouterr()
    assert "CANARY" not in answer.text + captured.out + captured.err


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    """Every operation has a summary and a description, and the upload shows its raw body."""
    schema = (await client.get("/openapi.json")).json()

    operations = [
        operation
        for path in schema["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    assert all(one.get("summary") and one.get("description") for one in operations)
    body = schema["paths"]["/v1/verdicts"]["post"]["requestBody"]["content"]
    assert {"application/dicom", "image/png", "image/jpeg", "image/webp"} <= set(body)
