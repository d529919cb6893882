"""Storage commitment with real software: Orthanc asks; a gate is killed before it can answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from tests.acceptance.serving import Served
from tests.integration.test_tls_clients import orthanc
from tests.integration.ward import Heard, ask, awaiting_reports, image, open_ward, store
from tests.ports import free_port
from tests.service.receive.door import eventually

pytestmark = pytest.mark.integration


async def test_orthanc_asks_and_is_told(need_tool: Callable[[str], str], tmp_path: Path) -> None:
    """It stores one of two instances here and asks for both: one is kept, one unknown (0x0112)."""
    port = free_port()
    senders = [{"ae_title": "ORTHANC", "port": port}]
    kept, never = image(generate_uid(), 1), image(generate_uid(), 2)
    kept.save_as(tmp_path / "kept.dcm", enforce_file_format=True)
    async with open_ward(tmp_path / "gate", listener={"senders": senders}) as ward:
        gate = {"AET": "SONOGATE", "Host": "127.0.0.1", "Port": ward.port}
        config: dict[str, object] = {
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomAlwaysAllowStore": True,
            "DicomModalities": {"gate": {**gate, "AllowStorageCommitment": True}},
        }
        (tmp_path / "orthanc").mkdir()
        async with orthanc(need_tool("Orthanc"), tmp_path / "orthanc", ward, config) as http:
            bytes_ = (tmp_path / "kept.dcm").read_bytes()
            taken = (await http.post("/instances", content=bytes_)).json()
            stored = await http.post("/modalities/gate/store", content=taken["ID"])
            asked = await http.post(
                "/modalities/gate/storage-commitment",
                json={
                    "DicomInstances": [
                        {"SOPClassUID": each.SOPClassUID, "SOPInstanceUID": each.SOPInstanceUID}
                        for each in (kept, never)
                    ]
                },
            )
            assert stored.is_success
            assert asked.is_success, asked.text
            told = await answer_to(http, asked.json()["Path"])

    assert "Failure" == told["Status"]
    assert [kept.SOPInstanceUID] == [each["SOPInstanceUID"] for each in told["Success"]]
    ((failed),) = told["Failures"]
    assert (never.SOPInstanceUID, 0x0112) == (failed["SOPInstanceUID"], failed["FailureReason"])


async def answer_to(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Wait until Orthanc knows the answer."""
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await http.get(path)).json()
            if told["Status"] != "Pending":
                return told
            await asyncio.sleep(0.1)


@pytest.mark.slow  # a whole gate starts, is killed, and starts again
async def test_a_gate_killed_before_its_report_still_reports(tmp_path: Path) -> None:
    """SIGKILL after Success on the N-ACTION; the next gate tells what was promised."""
    heard, kept, port = Heard(), image(generate_uid()), free_port()
    served = Served(
        tmp_path,
        extra_toml=f"[scoring]\nworkers = 1\n[commitment]\nreport_port = {port}\n",
    )
    await asyncio.to_thread(served.start)
    try:
        assert [0] == await asyncio.to_thread(store, served.dicom_port, [kept])
        status = await asyncio.to_thread(ask, served.dicom_port, [kept], "1.2.3.7")
        served.kill()
        with awaiting_reports(heard, port):
            await asyncio.to_thread(served.start)
            await eventually(lambda: bool(heard.reports), 30)
    finally:
        served.stop()

    assert 0 == status
    ((event_type, report),) = heard.reports
    assert (1, "1.2.3.7") == (event_type, report.TransactionUID)
    assert [kept.SOPInstanceUID] == [
        item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence
    ]
