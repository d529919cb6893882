"""An object that kills its worker costs that one worker; the listener does not notice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, generate_uid

from sonogate.score import pool as pool_module
from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.integration.bad_objects import changed, content_of
from tests.service.receive.door import (
    EXPLICIT_LITTLE,
    US_IMAGE,
    associate_rq,
    connected,
    message,
    store_rq,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEADLY = (
    "import ctypes, imagecodecs; imagecodecs.jpegls_decode = lambda *_, **__: ctypes.string_at(0); "
)
"""A JPEG-LS decoder that reads where it may not: SIGSEGV."""
VERDICT_SECONDS = 60.0


@dataclass
class Room:
    """A gate with one worker whose JPEG-LS decoder is deadly."""

    gate: Gate
    http: httpx.AsyncClient

    async def send(self, content: bytes, uid: str, *, syntax: str) -> None:
        """Send an object, which is acknowledged."""
        async with connected(self.gate.dicom_port) as peer:
            assert await peer.associate(associate_rq({1: (US_IMAGE, [syntax])})) == 2
            await peer.say(message(store_rq(uid), content))
            assert await peer.hear_status() == 0
            assert await peer.release() == 6

    async def verdict(self, uid: str) -> dict[str, Any]:
        """Ask until an object has a verdict."""
        async with asyncio.timeout(VERDICT_SECONDS):
            while True:
                verdict: dict[str, Any] = (await self.http.get(f"/v1/instances/{uid}")).json()
                if verdict["status"] != "pending":
                    return verdict
                await asyncio.sleep(0.05)

    async def judged(self, uid: str, content: bytes, syntax: str = EXPLICIT_LITTLE) -> str:
        """Send an object and return its verdict's status."""
        await self.send(content, uid, syntax=syntax)
        return str((await self.verdict(uid))["status"])

    async def restarts(self) -> float:
        """Count the workers that were replaced."""
        text = (await self.http.get("/metrics")).text
        found = [each for each in text.splitlines() if each.startswith("sonogate_worker_restarts")]
        return sum(float(each.split()[-1]) for each in found if "_created" not in each)


@pytest.fixture
async def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    """Open it."""
    monkeypatch.setattr(pool_module, "START", DEADLY + pool_module.START)
    settings = Settings(
        data_dir=tmp_path / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
    )
    async with (
        running_gate(settings) as gate,
        httpx.AsyncClient(base_url=gate.url, timeout=30) as http,
    ):
        yield Room(gate, http)


def deadly(uid: str) -> bytes:
    """A valid JPEG-LS image, which this worker does not survive."""
    ds = make_instance()
    ds.SOPInstanceUID = uid
    frame = bytes(imagecodecs.jpegls_encode(ds.pixel_array, out=bytearray(1 << 18)))
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    return content_of(ds)


async def test_a_hostile_object_costs_one_worker(room: Room) -> None:
    """Its crash is its own: it is kept, not tried again, and what comes next is judged."""
    (first,) = room.gate.pool.process_ids
    uid = new_uid()
    statuses = [await room.judged(uid, deadly(uid), JPEGLSLossless)]
    for _ in range(2):
        uid = new_uid()
        statuses.append(await room.judged(uid, changed(uid)))

    assert ["unscorable", "graded", "graded"] == statuses
    assert 1 == await room.restarts()
    assert [first] != room.gate.pool.process_ids


async def test_an_object_whose_worker_is_killed_is_tried_again(room: Room) -> None:
    """Somebody else's SIGKILL is no fault of the object: it is judged by the next worker."""
    (first,) = room.gate.pool.process_ids
    uid = new_uid()
    os.kill(first, signal.SIGSTOP)
    status = asyncio.create_task(room.judged(uid, changed(uid)))
    await asyncio.sleep(1.0)
    os.kill(first, signal.SIGKILL)

    assert "graded" == await status
    assert 1 == await room.restarts()


def new_uid() -> str:
    """Name another object."""
    return str(generate_uid())
