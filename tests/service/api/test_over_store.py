"""The HTTP door over the real database, tracker and event feed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sonogate.api.app import make_app
from sonogate.api.dependencies import ApiPorts
from sonogate.domain.identity import AETitle, ObjectId, SOPInstanceUID, StudyUID, new_object_id
from sonogate.domain.instance import Header, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.verdict import Band, Status, Verdict
from sonogate.observe.health import Readiness
from sonogate.observe.metrics import Metrics
from sonogate.settings import HttpSettings, TrackSettings
from sonogate.store.database import Database
from sonogate.track import tracker
from sonogate.track.events import EventFeed
from sonogate.track.studies import Studies

if TYPE_CHECKING:
    from fastapi import FastAPI

pytestmark = pytest.mark.integration

Serve = Callable[["FastAPI", ApiPorts], AbstractAsyncContextManager[int]]
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a fresh SQLite database."""
    one = Database(f"sqlite:///{tmp_path / 'sonogate.db'}")
    await one.open()
    yield one
    await one.close()


@pytest.fixture
def ports(database: Database) -> ApiPorts:
    """Join the real rooms; nothing is uploaded here."""

    async def submit(*_arguments: object) -> tuple[str, Verdict]:
        raise AssertionError("nothing is uploaded here")

    async def keep_nothing(*_arguments: object) -> None:
        raise AssertionError("nothing is stored here")

    async def readiness() -> Readiness:
        return Readiness(ready=True, checks={})

    return ApiPorts(
        studies=Studies(database),
        events=EventFeed(database),
        submit=submit,
        keep=keep_nothing,
        metrics=Metrics(),
        readiness=readiness,
        started_at=NOW,
    )


async def keep(database: Database, number: int) -> ReceivedInstance:
    """Keep an object of study 1.2."""
    received = ReceivedInstance(
        object_id=new_object_id(),
        media_type=MediaType.DICOM,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
        sop_instance_uid=SOPInstanceUID(f"1.2.{number}"),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        content_sha256=f"{number:064x}",
        size_bytes=1,
        spool_name=f"00/{number}",
        provenance=Provenance(
            calling_ae=AETitle("CART1"),
            called_ae=AETitle("SONOGATE"),
            peer_address="127.0.0.1",
            transport=Transport.DIMSE,
            received_at=NOW,
        ),
    )
    await database.write(lambda tx: tx.objects.keep(received))
    return received


async def judge(database: Database, object_id: ObjectId, number: int) -> None:
    """Record a low verdict for a kept object."""
    verdict = Verdict(
        sop_instance_uid=f"1.2.{number}",
        study_instance_uid="1.2",
        status=Status.GRADED,
        band=Band.LOW,
        quality=20,
        reason="Dark.",
        received_at=NOW,
        verdict_at=NOW,
    )
    examination = Examination(
        object_id=object_id,
        outcome=Outcome.SCORED,
        header=Header(
            sop_instance_uid=SOPInstanceUID(f"1.2.{number}"), study_instance_uid=StudyUID("1.2")
        ),
        thumbnail_png=PNG,
    )

    def work(tx: tracker.Transaction) -> tracker.Recorded:
        (claimed,) = tx.objects.claim("test", NOW, 60, 1)
        return tracker.record(tx, claimed, examination, verdict, NOW, TrackSettings())

    await database.write(work)


async def test_an_object_lives_its_life_over_http(database: Database, ports: ApiPorts) -> None:
    """Pending, judged, overruled, taken back, closed: each is read as the store has it."""
    transport = httpx.ASGITransport(make_app(ports, HttpSettings()))
    received = await keep(database, 1)
    path, study = "/v1/instances/1.2.1", "/v1/studies/1.2"
    wish = {"band": "high", "reason": "The shadow is the finding", "by": "MK"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

        async def ready() -> Any:
            return (await client.get(study)).json()["ready_to_close"]

        pending = (await client.get(path)).json()
        early = await client.post(f"{path}/override", json=wish)
        await judge(database, received.object_id, 1)
        judged = (await client.get(path)).json()
        readiness = [await ready()]
        overruled = (await client.post(f"{path}/override", json=wish)).json()
        readiness.append(await ready())
        revoked = (await client.delete(f"{path}/override")).json()
        readiness.append(await ready())
        again = await client.delete(f"{path}/override")
        closed = (await client.post(f"{study}/close", json={"by": "MK"})).json()
        picture = await client.get(f"/v1/objects/{received.object_id}/thumbnail.png")
        missing = await client.get(f"{path}/heatmap.png")

    assert ("pending", 409) == (pending["status"], early.status_code)
    assert ("graded", "low") == (judged["status"], judged["band"])
    assert ("low", "high") == (overruled["band"], overruled["override"]["band"])
    assert (None, 409) == (revoked["override"], again.status_code)
    assert [False, True, False] == readiness
    assert "closed" == closed["status"]
    assert PNG == picture.content
    assert (404, "unknown_instance") == (missing.status_code, missing.json()["error"])


async def test_a_stream_over_the_real_feed_resumes_without_a_gap(
    database: Database, ports: ApiPorts, serve: Serve
) -> None:
    """What was committed while nobody followed comes first, then what is committed now."""
    for number in (1, 2):
        received = await keep(database, number)
        await judge(database, received.object_id, number)
    verdicts: list[tuple[int, str]] = []
    headers = {"Last-Event-ID": "0"}
    async with (
        serve(make_app(ports, HttpSettings()), ports) as port,
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/v1/events", headers=headers) as response,
    ):
        async for line in response.aiter_lines():
            if not line.startswith("data: "):
                continue
            event = json.loads(line[6:])
            if event.get("kind") == "verdict":
                verdicts.append((event["number"], event["verdict"]["sop_instance_uid"]))
            if len(verdicts) == 2 and event.get("kind") == "study":
                received = await keep(database, 3)
                await judge(database, received.object_id, 3)
            if len(verdicts) == 3:
                break

    assert [(1, "1.2.1"), (2, "1.2.2"), (3, "1.2.3")] == verdicts
