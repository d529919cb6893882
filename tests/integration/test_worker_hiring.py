"""A gate whose scoring workers do not start for a while."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from sonogate.errors import ModelError
from sonogate.score.pool import Worker
from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import make_instance, running_gate
from tests.acceptance.cart import Cart

VERDICT_SECONDS = 40.0
N_REFUSALS = 4
"""More than the pool tries for one object."""

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def test_an_object_is_judged_as_soon_as_a_worker_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put back at once, and does not wait for the end of its lease of ten minutes."""
    settings = Settings(
        data_dir=tmp_path / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1, lease_seconds=600),
    )
    instance, start, refusals = make_instance(), Worker.start, [ModelError()] * N_REFUSALS

    async def refuse(settings: ScoringSettings) -> Worker:
        if refusals:
            raise refusals.pop()
        return await start(settings)

    async with (
        running_gate(settings) as gate,
        httpx.AsyncClient(base_url=gate.url, timeout=30) as http,
    ):
        monkeypatch.setattr(Worker, "start", refuse)
        for process_id in gate.pool.process_ids:
            os.kill(process_id, signal.SIGKILL)
        assert await asyncio.to_thread(Cart(gate.dicom_port).push, [instance])
        async with asyncio.timeout(VERDICT_SECONDS):
            while True:
                verdict = (await http.get(f"/v1/instances/{instance.SOPInstanceUID}")).json()
                if verdict["status"] != "pending":
                    break
                await asyncio.sleep(0.1)

    assert ("graded", []) == (verdict["status"], refusals)
