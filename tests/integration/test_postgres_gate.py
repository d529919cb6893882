"""The whole gate over PostgreSQL: only its URL differs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import make_url

from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
    StoreSettings,
    TrackSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart

if TYPE_CHECKING:
    from tests.postgres_server import Postgres

CLOSED_SECONDS = 60.0

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def settings(folder: Path, url: str) -> Settings:
    """One worker, free ports, a study that settles and closes at once."""
    return Settings(
        data_dir=folder / "data",
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1),
        store=StoreSettings(url=url),
        scoring=ScoringSettings(workers=1, lease_seconds=5),
        track=TrackSettings(settle_seconds=1, close_seconds=1),
    )


@asynccontextmanager
async def gate_over(folder: Path, url: str) -> AsyncIterator[tuple[Gate, httpx.AsyncClient]]:
    """A running gate and a client of its HTTP door."""
    async with (
        running_gate(settings(folder, url)) as gate,
        httpx.AsyncClient(base_url=gate.url, timeout=30) as http,
    ):
        yield gate, http


async def push(gate: Gate, *instances: Dataset) -> None:
    """Push instances over a real association."""
    assert await asyncio.to_thread(Cart(gate.dicom_port).push, instances)


async def closed(http: httpx.AsyncClient, study_uid: str) -> dict[str, Any]:
    """Ask until the study is closed; return it."""
    async with asyncio.timeout(CLOSED_SECONDS):
        while True:
            answer = await http.get(f"/v1/studies/{study_uid}")
            study: dict[str, Any] = answer.json()
            if answer.is_success and study["status"] == "closed":
                return study
            await asyncio.sleep(0.1)


async def test_a_study_is_judged_and_closed(tmp_path: Path, postgres_url: str) -> None:
    """From C-STORE over verdicts to the closed study; another gate then reads the same."""
    study_uid = generate_uid()
    instances = [make_instance(seed=seed, study_uid=study_uid) for seed in range(5)]
    async with gate_over(tmp_path, postgres_url) as (gate, http):
        await push(gate, *instances)
        study = await closed(http, study_uid)
        events = await gate.database.read(lambda tx: tx.events.after(0, 100))
    async with gate_over(tmp_path, postgres_url) as (_, http):
        verdicts = [
            (await http.get(f"/v1/instances/{each.SOPInstanceUID}")).json() for each in instances
        ]

    assert ["graded"] * 5 == [each["status"] for each in verdicts]
    assert 5 == study["received"]
    assert 5 == sum(event.kind == "verdict" for event in events)
    assert not list((tmp_path / "data").glob("*.db"))


async def test_a_gate_outlives_a_restart_of_its_database(
    tmp_path: Path, postgres: "Postgres", postgres_url: str
) -> None:
    """Objects are acknowledged while connections are cut again and again; then each is judged."""
    study_uid = generate_uid()
    instances = [make_instance(seed=seed, study_uid=study_uid) for seed in range(6)]
    async with gate_over(tmp_path, postgres_url) as (gate, http):
        pushing = asyncio.create_task(push(gate, *instances))
        for _ in range(100):
            await asyncio.to_thread(postgres.cut, make_url(postgres_url).database or "")
            await asyncio.sleep(0.02)
        await pushing
        study = await closed(http, study_uid)

    assert 6 == study["received"]
