"""The whole gate and a real archive: images in, verdicts, and what is said of them in DICOM."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from sonogate.settings import (
    ForwardSettings,
    HttpSettings,
    ListenerSettings,
    ResultsSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.integration.forwarding import instances_in, orthanc, pacs
from tests.integration.test_gate import dicom_bytes, verdict
from tests.ports import free_port
from tests.service.act.results.said import complaints

pytestmark = [pytest.mark.integration, pytest.mark.slow]  # a gate, an archive and three scribes
CANARY = "CANARY^PATIENT^NAME"
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def gate_for(folder: Path, pacs_port: int) -> AsyncIterator[tuple[Gate, httpx.AsyncClient]]:
    """Run a gate that sends everything, results too, to an archive."""
    settings = Settings(
        data_dir=folder / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
        results=ResultsSettings(
            enabled=True, objects=("report", "advice", "rejection"), delay_seconds=0.05
        ),
        forward=ForwardSettings(destinations=(pacs(pacs_port, results=True),)),
    )
    async with running_gate(settings) as gate, httpx.AsyncClient(base_url=gate.url) as http:
        yield gate, http


async def stow(http: httpx.AsyncClient, *instances: Dataset) -> dict[str, Any]:
    """Store instances by STOW-RS; return the answer."""
    parts = [
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + dicom_bytes(each) + b"\r\n"
        for each in instances
    ]
    response = await http.post(
        "/dicomweb/studies",
        content=b"".join(parts) + b"--b--",
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
        timeout=30,
    )
    assert 200 == response.status_code
    answer: dict[str, Any] = response.json()
    return answer


async def until(http: httpx.AsyncClient, study_uid: str, n_made: int) -> list[dict[str, Any]]:
    """Wait until so many results were made; return them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows: list[dict[str, Any]] = (await http.get(f"/v1/studies/{study_uid}/results")).json()
            if len(rows) >= n_made:
                return rows
            await asyncio.sleep(0.05)


async def archived(http: httpx.AsyncClient, wanted: set[str]) -> dict[str, int]:
    """Wait until an archive has these instances; return how many of each it has."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await instances_in(http)
            if wanted <= set(found):
                return dict(found)
            await asyncio.sleep(0.05)


async def test_an_archive_gets_images_and_what_is_said_of_them(
    tmp_path: Path, need_tool: Callable[[str], str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Stored by STOW-RS, forwarded, judged, closed, rejected, taken back: Orthanc has each once.

    dciodvfy finds no error in what it has, and the patient is named in no log and no metric.
    """
    study = [make_instance(seed=1, patient_name=CANARY)]
    study.append(make_instance(seed=2, patient_name=CANARY, study_uid=study[0].StudyInstanceUID))
    uid, study_uid = str(study[0].SOPInstanceUID), str(study[0].StudyInstanceUID)
    port = free_port()
    async with (
        orthanc(need_tool("Orthanc"), tmp_path / "orthanc", port) as archive,
        gate_for(tmp_path, port) as (_gate, http),
    ):
        for _ in range(2):  # a client that repeats itself changes nothing
            answer = await stow(http, *study)
            assert 2 == len(answer["00081199"]["Value"])
        for each in study:
            await verdict(http, str(each.SOPInstanceUID))
        await http.post(f"/v1/studies/{study_uid}/close", json={})
        n_first = len(await until(http, study_uid, 1))
        rejected = await http.post(
            f"/v1/instances/{uid}/rejection", json={"reason": "111210", "by": "dr"}
        )
        assert 200 == rejected.status_code
        rows = await until(http, study_uid, n_first + 2)
        note = next(row for row in rows if row["kind"] == "rejection")
        wanted = {row["sop_instance_uid"] for row in rows} | {str(i.SOPInstanceUID) for i in study}
        await archived(archive, wanted)
        await http.delete(f"/v1/instances/{uid}/rejection")
        rows = await until(http, study_uid, len(rows) + 1)
        wanted |= {row["sop_instance_uid"] for row in rows}
        found = await archived(archive, wanted)
        tags = (await archive.get("/instances?expand")).json()
        files = [(await archive.get(f"/instances/{each['ID']}/file")).content for each in tags]
        metrics = (await http.get("/metrics")).text

    assert dict.fromkeys(wanted, 1) == found
    assert 1 == sum(row["kind"] == "rejection" for row in rows)
    assert not next(row for row in rows if row["sop_instance_uid"] == note["sop_instance_uid"])[
        "holds"
    ]
    _check_files(files, tmp_path, need_tool("dciodvfy"))
    written = "".join(capfd.readouterr()) + metrics
    assert "results made" in written
    assert CANARY.partition("^")[0] not in written


def _check_files(files: list[bytes], folder: Path, dciodvfy: str) -> None:
    """Every result that the archive gives back is valid and names the patient."""
    results = [file for file in files if dcmread(io.BytesIO(file)).Modality in {"SR", "KO"}]
    assert len(results) >= 4
    for file in results:
        assert CANARY == str(dcmread(io.BytesIO(file)).PatientName)
        path = folder / "archived.dcm"
        path.write_bytes(file)
        assert [] == complaints(dciodvfy, path)
