"""The whole gate in one process, driven as its users drive it."""

import asyncio
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, generate_uid

from sonogate.errors import GateError
from sonogate.receive.spool import Spool
from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate, speckle
from tests.acceptance.cart import Cart
from tests.service.receive.door import eventually

VERDICT_SECONDS = 30.0

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def small_settings(folder: Path) -> Settings:
    """One worker, free ports."""
    return Settings(
        data_dir=folder / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
    )


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """A running gate."""
    async with running_gate(small_settings(tmp_path)) as gate:
        yield gate


@pytest.fixture
async def http(gate: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gate's HTTP door."""
    async with httpx.AsyncClient(base_url=gate.url, timeout=60) as client:
        yield client


async def push(gate: Gate, *instances: Dataset) -> None:
    """Push instances over a real association."""
    assert await asyncio.to_thread(Cart(gate.dicom_port).push, instances)


async def verdict(http: httpx.AsyncClient, uid: str) -> dict[str, Any]:
    """Ask until the instance has a verdict."""
    async with asyncio.timeout(VERDICT_SECONDS):
        while True:
            body: dict[str, Any] = (await http.get(f"/v1/instances/{uid}")).json()
            if body["status"] != "pending":
                return body
            await asyncio.sleep(0.02)


def dicom_bytes(ds: Dataset) -> bytes:
    """Return the Part 10 bytes of an instance."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


async def test_a_pushed_still_gets_its_verdict(gate: Gate, http: httpx.AsyncClient) -> None:
    """From C-STORE to the verdict's every field."""
    instance = make_instance()
    await push(gate, instance)
    body = await verdict(http, instance.SOPInstanceUID)

    assert "graded" == body["status"]
    assert body["band"] in {"high", "medium", "low"}
    assert 0 <= body["quality"] <= 100
    assert instance.StudyInstanceUID == body["study_instance_uid"]
    assert "A1" == body["accession_number"]
    assert {"total": 1, "scored": [1], "best": 1, "worst": 1} == body["frames"]
    assert 64 == len(body["model"]["sha256"])
    assert body["seconds"]["total"] > 0


async def test_the_same_object_twice_is_one(gate: Gate, http: httpx.AsyncClient) -> None:
    """A cart that repeats itself changes nothing."""
    instance = make_instance()
    await push(gate, instance)
    await verdict(http, instance.SOPInstanceUID)
    await push(gate, instance)
    versions = (await http.get(f"/v1/instances/{instance.SOPInstanceUID}/versions")).json()

    assert 1 == len(versions)


async def test_other_bytes_under_one_uid_are_a_conflict(
    gate: Gate, http: httpx.AsyncClient
) -> None:
    """Each content has a verdict; the latest speaks for the instance."""
    first, second = make_instance(seed=1), make_instance(seed=2)
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    second.StudyInstanceUID = first.StudyInstanceUID
    await push(gate, first)
    await push(gate, second)
    await verdict(http, first.SOPInstanceUID)
    versions = (await http.get(f"/v1/instances/{first.SOPInstanceUID}/versions")).json()

    assert 2 == len(versions)


async def test_curl_gets_the_verdict_in_the_same_call(http: httpx.AsyncClient) -> None:
    """POST /v1/verdicts with DICOM and with PNG."""
    instance = make_instance()
    png = io.BytesIO()
    Image.fromarray(speckle(300, 400, 3)).save(png, "PNG")
    dicom = await http.post(
        "/v1/verdicts", content=dicom_bytes(instance), headers={"content-type": "application/dicom"}
    )
    picture = await http.post(
        "/v1/verdicts", content=png.getvalue(), headers={"content-type": "image/png"}
    )

    assert (200, "graded") == (dicom.status_code, dicom.json()["status"])
    assert str(instance.SOPInstanceUID) == dicom.json()["sop_instance_uid"]
    assert (200, "graded") == (picture.status_code, picture.json()["status"])
    assert picture.json()["sop_instance_uid"] is None


async def test_a_worthless_picture_is_never_high(http: httpx.AsyncClient) -> None:
    """A black frame is low; a file that is no picture is refused or unscorable."""
    png = io.BytesIO()
    Image.new("L", (400, 300)).save(png, "PNG")
    black = await http.post(
        "/v1/verdicts", content=png.getvalue(), headers={"content-type": "image/png"}
    )
    broken = await http.post(
        "/v1/verdicts",
        content=b"\x89PNG\r\n\x1a\n" + b"x" * 99,
        headers={"content-type": "image/png"},
    )

    assert "low" == black.json()["band"]
    assert "unscorable" == broken.json()["status"]


async def test_a_restarted_gate_judges_what_was_left(tmp_path: Path) -> None:
    """Objects kept while scoring was down get their verdict after the restart."""
    settings = small_settings(tmp_path)
    instances = [make_instance(seed=seed) for seed in range(6)]
    async with running_gate(settings) as gate:
        await push(gate, *instances)
    async with running_gate(settings) as gate, httpx.AsyncClient(base_url=gate.url) as http:
        statuses = [(await verdict(http, each.SOPInstanceUID))["status"] for each in instances]

    assert ["graded"] * 6 == statuses


async def test_a_study_is_closed_over_rest(gate: Gate, http: httpx.AsyncClient) -> None:
    """List, read, close."""
    instance = make_instance()
    await push(gate, instance)
    await verdict(http, instance.SOPInstanceUID)
    uid = instance.StudyInstanceUID
    listed = (await http.get("/v1/studies")).json()
    closed = await http.post(f"/v1/studies/{uid}/close", json={})

    assert uid in json.dumps(listed)
    assert (200, "closed") == (closed.status_code, closed.json()["status"])


async def test_an_object_that_is_no_image_is_not_applicable(
    gate: Gate, http: httpx.AsyncClient
) -> None:
    """A structured report over REST is kept and named."""
    report = make_instance()
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    report.Modality = "SR"
    del report.PixelData
    answer = await http.post(
        "/v1/verdicts", content=dicom_bytes(report), headers={"content-type": "application/dicom"}
    )

    assert "not_applicable" == answer.json()["status"]
    assert answer.json()["band"] is None


async def test_a_database_from_a_backup_learns_what_came_after_it(tmp_path: Path) -> None:
    """An older copy of the database costs no acknowledged object: the spool still has its row."""
    settings, backup = small_settings(tmp_path), tmp_path / "backup.db"
    before, after = make_instance(seed=1), make_instance(seed=2)
    async with running_gate(settings) as gate:
        await push(gate, before)
    shutil.copy(settings.data_dir / "sonogate.db", backup)
    async with running_gate(settings) as gate:
        await push(gate, after)
    for left in settings.data_dir.glob("sonogate.db*"):
        left.unlink()
    shutil.copy(backup, settings.data_dir / "sonogate.db")

    async with running_gate(settings) as gate, httpx.AsyncClient(base_url=gate.url) as http:
        for each in (before, after):
            assert "graded" == (await verdict(http, each.SOPInstanceUID))["status"]


async def test_expired_bytes_leave_the_disk_and_the_verdict_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once delivered and old enough, an object's part of its segment is empty; if not, soon."""
    real_remove, failures = Spool.remove, [OSError(5, "I/O error")]

    def remove(spool: Spool, spool_name: str) -> None:
        if failures:
            raise failures.pop()
        real_remove(spool, spool_name)

    monkeypatch.setattr(Spool, "remove", remove)
    spool = SpoolSettings(min_free_bytes=1, retention_days=0, janitor_seconds=0.1)
    settings = small_settings(tmp_path).model_copy(update={"spool": spool})
    instance = make_instance()
    async with running_gate(settings) as gate, httpx.AsyncClient(base_url=gate.url) as http:
        await push(gate, instance)
        await verdict(http, instance.SOPInstanceUID)
        (segment,) = (settings.data_dir / "spool" / "segments").iterdir()
        await eventually(lambda: instance.PixelData not in segment.read_bytes(), VERDICT_SECONDS)
        assert not failures
        assert "graded" == (await verdict(http, instance.SOPInstanceUID))["status"]


async def test_a_second_gate_keeps_its_hands_off(tmp_path: Path, gate: Gate) -> None:
    """One data folder, one gate: another start is refused before it touches anything."""
    with pytest.raises(GateError, match="another gate works in"):
        async with running_gate(small_settings(tmp_path)):
            pass
    await push(gate, make_instance())
