"""A day at the gate, as the audit trail tells it afterwards."""

import asyncio
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from pydicom.dataset import Dataset

from sonogate.cli import main
from sonogate.domain.verdict import Status
from sonogate.settings import (
    AuditSettings,
    HttpSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart

pytestmark = [pytest.mark.integration, pytest.mark.slow]
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this test
PATIENT = "Canary^Patient"


def settings_in(folder: Path, *, settle_seconds: float) -> Settings:
    """One worker, one cart that may call, one token."""
    return Settings.model_validate(
        {
            "data_dir": folder,
            "listener": {"port": 0, "senders": [{"ae_title": "CART1"}]},
            "http": HttpSettings.model_validate({"port": 0, "token": TOKEN}),
            "spool": SpoolSettings(min_free_bytes=1),
            "scoring": ScoringSettings(workers=1),
            "audit": AuditSettings(window_seconds=600),
            "track": {"settle_seconds": settle_seconds},
        }
    )


async def judged(gate: Gate, uid: str) -> None:
    """Wait for a verdict without reading over HTTP."""
    async with asyncio.timeout(30):
        while (await gate.studies.instance(uid)).status is Status.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def spend_a_day(gate: Gate, instance: Dataset) -> None:
    """Two carts, of which one may; two tokens, of which one is right; a person who knows better."""
    uid = instance.SOPInstanceUID
    assert await asyncio.to_thread(Cart(gate.dicom_port).push, [instance])
    assert not await asyncio.to_thread(Cart(gate.dicom_port, "EVIL").push, [instance])
    async with httpx.AsyncClient(base_url=gate.url, timeout=60) as client:
        await client.get("/v1/studies", headers={"Authorization": "Bearer wrong"})
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        await judged(gate, uid)
        await client.get(f"/v1/instances/{uid}")
        await client.get(f"/v1/instances/{uid}/thumbnail.png")
        wish = {"band": "high", "reason": f"{PATIENT} moved", "by": "dr"}
        answer = await client.post(f"/v1/instances/{uid}/override", json=wish)
    assert 200 == answer.status_code


def exported(folder: Path, form: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run `sonogate audit export` on a gate's folder."""
    config = folder / "gate.toml"
    config.write_text(f'data_dir = "{folder}"\n')
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["audit", "export", "--format", form, "--config", str(config)])
    return capsys.readouterr().out.splitlines()


async def test_the_trail_tells_who_did_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sent, read once, refused, overridden, changed: in both forms, without the patient's name."""
    instance = make_instance(patient_name=PATIENT)
    async with running_gate(settings_in(tmp_path, settle_seconds=60)) as gate:
        await spend_a_day(gate, instance)
    async with running_gate(settings_in(tmp_path, settle_seconds=61)):
        pass
    lines = exported(tmp_path, "json", capsys)
    told = [json.loads(line) for line in lines]
    said = {(one["action"], one["by"]) for one in told}
    messages = exported(tmp_path, "dicom", capsys)
    codes = [
        ET.fromstring(line[line.index("<AuditMessage") :]).find("*/EventID")  # noqa: S314
        for line in messages
    ]

    assert {
        ("start", "operator"),
        ("settings_changed", "operator"),
        ("receive", "CART1"),
        ("association_refused", "EVIL"),
        ("login_failed", "unknown"),
        ("read", "http.token"),
        ("override", "dr"),
        ("stop", "operator"),
    } == said
    study = [one for one in told if one["study_instance_uid"]]
    assert {(instance.StudyInstanceUID, "A1")} == {
        (one["study_instance_uid"], one["accession_number"]) for one in study
    }
    assert 1 == sum(one["action"] == "read" for one in told)
    assert [[], ["track.settle_seconds"]] == [
        one["detail"]["keys"] for one in told if one["action"] == "settings_changed"
    ]
    assert {"110100", "110103", "110104", "110113"} == {
        code.attrib["csd-code"] for code in codes if code is not None
    }
    assert all(re.match(r"<8[45]>1 ", line) for line in messages)
    assert not re.search(f"Canary|{TOKEN}|wrong", "".join(lines + messages))
