"""The adviser of a running gate: real sockets, and whatever may come back over them."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from sonogate.settings import (
    AdviceSettings,
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, running_gate
from tests.advice_server import (
    GOOD,
    AdviceServer,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ANSWER_SECONDS = 30.0


def settings_of(folder: Path, url: str | None, **advice: Any) -> Settings:
    """One worker, free ports, and an adviser if there is an address."""
    facts: dict[str, Any] = {"timeout_seconds": 1.0, "max_attempts": 1} | advice
    asked = AdviceSettings(enabled=True, url=url, model="tiny", **facts)
    return Settings(
        data_dir=folder / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
        advice=asked if url else AdviceSettings(),
    )


@pytest.fixture
def server() -> Iterator[AdviceServer]:
    """A server that gives a good answer until told otherwise."""
    with AdviceServer() as server:
        yield server


@asynccontextmanager
async def gate_with(settings: Settings) -> AsyncIterator[tuple[Gate, httpx.AsyncClient]]:
    """Run a gate and a client of it."""
    async with (
        running_gate(settings) as gate,
        httpx.AsyncClient(base_url=gate.url, timeout=60) as http,
    ):
        yield gate, http


def dicom_of(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[str, bytes]:
    """Make an ultrasound still of these pixels; return its UID and its bytes."""
    from sonogate.testing import make_instance

    ds = make_instance(height=grey.shape[0], width=grey.shape[1])
    ds.PixelData = grey.tobytes()
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return str(ds.SOPInstanceUID), out.getvalue()


def weak() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Speckle that is dark on the left: low, with a finding that has a place."""
    from sonogate.testing import speckle

    grey = speckle(240, 320, 5)
    grey[:, :160] //= 16
    return grey


async def judged(http: httpx.AsyncClient, content: bytes) -> dict[str, Any]:
    """Send an object and return its verdict."""
    headers = {"Content-Type": "application/dicom"}
    verdict: dict[str, Any] = (
        await http.post("/v1/verdicts", content=content, headers=headers)
    ).json()
    return verdict


async def settled(http: httpx.AsyncClient, uid: str) -> dict[str, Any]:
    """Ask until the adviser said something, or will not."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            advice: dict[str, Any] = (await http.get(f"/v1/instances/{uid}/advice")).json()
            if advice["advice"] or advice["reason"] not in (None, "pending"):
                return advice
            await asyncio.sleep(0.05)


def without_advice(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return all that an adviser must not touch."""
    return {key: each for key, each in verdict.items() if not key.startswith("advice")}


async def test_a_weak_image_gets_a_remark(server: AdviceServer, tmp_path: Path) -> None:
    """After the verdict, beside it, with the pictures bounded and the trail kept."""
    uid, content = dicom_of(weak())
    async with gate_with(settings_of(tmp_path, server.url, api_key="k" * 24)) as (gate, http):
        verdict = await judged(http, content)
        advice = await settled(http, uid)
        after = (await http.get(f"/v1/instances/{uid}")).json()
        study = (await http.get(f"/v1/studies/{verdict['study_instance_uid']}")).json()
        trail = await gate.database.read(lambda tx: tx.audit.all())
        metrics = (await http.get("/metrics")).text

    (asked,) = server.asked
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
        for url in asked.pictures
    ]
    (noted,) = [entry for entry in trail if entry.action == "advise"]

    assert verdict["band"] in {"medium", "low"}
    assert verdict["advice"] is None
    assert without_advice(verdict) == without_advice(after)
    assert GOOD["remark"] == after["advice"]
    assert GOOD["remark"] == study["instances"][0]["verdict"]["advice"]
    assert ("advice, not diagnosis", GOOD) == (advice["note"], advice["advice"])
    assert "127.0.0.1" == advice["adviser"]
    assert 2 == len(pictures)
    assert all(each.width * each.height <= 392 * 392 and not each.info for each in pictures)
    assert f"Bearer {'k' * 24}" == asked.headers["Authorization"]
    assert ("tiny", 0.0, False) == tuple(
        asked.body[key] for key in ("model", "temperature", "stream")
    )
    assert ("sonogate", "127.0.0.1") == (noted.by, noted.body["destination"])
    assert 'sonogate_advice_calls_total{kind="remark",outcome="given"} 1.0' in metrics
