"""Who reads over HTTP and who is turned away is noted; nothing else is."""

from dataclasses import replace

import httpx
import pytest

from sonogate.act.audit.trail import Note
from sonogate.api.app import make_app
from tests.service.api.conftest import OBJECT_ID, Door, MakeDoor

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this test
READS = {
    "/v1/studies/1.2": ("read", "1.2", None, None),
    "/v1/instances/1.2.3": ("read", None, "1.2.3", None),
    "/v1/instances/1.2.3/thumbnail.png": ("read", None, "1.2.3", None),
    f"/v1/objects/{OBJECT_ID}/heatmap.png": ("read", None, None, OBJECT_ID),
    "/v1/studies": ("read_list", None, None, None),
}
SILENT = ("/", "/health/live", "/v1/findings", "/v1/studies/9.9", "/v1/nowhere")


def client_of(door: Door, taken: list[Note], **headers: str) -> httpx.AsyncClient:
    """Return a client of this door, whose notes are gathered."""
    app = make_app(replace(door.ports, note=taken.append), door.settings)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


@pytest.mark.parametrize("path", READS)
async def test_reading_is_noted_by_what_was_read(door: Door, path: str) -> None:
    """Studies, verdicts, pictures, lists; by whom, and from where."""
    taken: list[Note] = []
    async with client_of(door, taken) as client:
        assert 200 == (await client.get(path)).status_code
    note = taken[0]

    assert [("anyone", "192.0.2.7")] == [(each.by, each.address) for each in taken]
    assert READS[path] == (note.action, note.study_uid, note.instance_uid, note.object_id)


@pytest.mark.parametrize("path", SILENT)
async def test_what_says_nothing_of_a_study_is_not_noted(door: Door, path: str) -> None:
    """The page itself, health, what is not there."""
    taken: list[Note] = []
    async with client_of(door, taken) as client:
        await client.get(path)

    assert [] == taken


async def test_a_wrong_token_is_noted_and_a_missing_one_is_not(make_door: MakeDoor) -> None:
    """The page asks without a token first; a wrong one is someone's attempt, and is not kept."""
    taken: list[Note] = []
    async with client_of(make_door(token=TOKEN), taken) as client:
        answers = [
            await client.get("/v1/studies", headers=headers)
            for headers in (
                {},
                {"Authorization": "Bearer canary"},
                {"Authorization": f"Bearer {TOKEN}"},
            )
        ]
    assert [401, 401, 200] == [each.status_code for each in answers]
    assert [("login_failed", "unknown"), ("read_list", "http.token")] == [
        (note.action, note.by) for note in taken
    ]
    assert "canary" not in str(taken)


async def test_another_page_s_request_is_noted(door: Door) -> None:
    """A foreign origin and an unknown host are turned away, and said."""
    taken: list[Note] = []
    async with client_of(door, taken) as client:
        await client.get("/v1/studies", headers={"Host": "evil.example"})
        await client.get("/v1/events", headers={"Origin": "https://evil.example"})

    assert ["unknown_host", "foreign_origin"] == [dict(note.detail)["code"] for note in taken]
    assert {"request_refused"} == {note.action for note in taken}
