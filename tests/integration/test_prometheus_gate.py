"""A running gate, scraped by a real Prometheus: the dashboard shows what was pushed."""

import asyncio
import functools
import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydicom.dataset import Dataset

from sonogate.observe.metrics import VERDICT_BUCKETS
from sonogate.settings import (
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.testing import Gate, make_instance, running_gate
from tests.acceptance.cart import Cart
from tests.integration.prometheus_server import (
    QUERIES,
    Prometheus,
    as_grafana_asks,
    running_prometheus,
)
from tests.service.receive.door import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),  # one gate for all
]

CANARY = "CANARY^PATIENT^NAME"
ROOM1, ROOM2 = "ROOM1", "ROOM2"
EXAMS = ("OB", "ABDOMEN")
GAUGE_SECONDS = 2.5
"""How old a gauge may be on a busy machine: it is set every second."""
Counts = Mapping[tuple[str, ...], float]


@dataclass
class Ward:
    """A gate, the carts that send to it, and the Prometheus that watches it."""

    gate: Gate
    prometheus: Prometheus
    n_judged: int = 0

    @property
    def n_counted(self) -> int:
        """Stills that the gate has counted by now."""
        name = "sonogate_verdict_seconds_count"
        return int(self.gate.metrics.registry.get_sample_value(name, {"kind": "still"}) or 0)

    async def push(self, sender: str, instances: Sequence[Dataset], n_more: int = 0) -> float:
        """Push, and wait until all of it was judged and scraped; return the time of the scrape."""
        self.n_judged += n_more
        assert not instances or await asyncio.to_thread(
            Cart(self.gate.dicom_port, sender).push, instances
        )
        self.n_judged += len(instances)
        return await asyncio.to_thread(
            self.prometheus.wait_for,
            'sonogate_verdict_seconds_count{kind="still"}',
            self.n_judged,
            seconds=60.0,
        )

    async def verdicts(self, instances: Sequence[Dataset]) -> list[dict[str, Any]]:
        """What the API says of these."""
        async with httpx.AsyncClient(base_url=self.gate.url) as http:
            answers = [await http.get(f"/v1/instances/{each.SOPInstanceUID}") for each in instances]
        return [answer.json() for answer in answers]

    async def timed(self, instance: Dataset) -> tuple[float, float]:
        """Push one; return the least and the most seconds that its verdict can have taken."""
        before = self.n_counted
        await asyncio.to_thread(Cart(self.gate.dicom_port, ROOM1).push, [instance])
        await eventually(lambda: self.n_counted > before, seconds=30)
        seen_at = datetime.now(UTC)
        (verdict,) = await self.verdicts([instance])
        self.n_judged += 1
        received_at = datetime.fromisoformat(verdict["received_at"])
        return verdict["seconds"]["total"], (seen_at - received_at).total_seconds()

    async def panel(self, name: str, since: float, at: float) -> Counts:
        """A panel's values for the time between two scrapes, zeros left out."""
        ask = functools.partial(as_grafana_asks, range_ms=round((at - since) * 1000) + 1)
        found = await asyncio.to_thread(self.prometheus.values, ask(QUERIES[name]), at)
        return {key: value for key, value in found.items() if value}

    async def now(self, name: str, at: float) -> Counts:
        """A panel's values at a scrape."""
        expr = as_grafana_asks(QUERIES[name])
        return await asyncio.to_thread(self.prometheus.values, expr, at)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(
    tmp_path_factory: pytest.TempPathFactory,
    need_tool: Callable[[str], str],
) -> AsyncIterator[Ward]:
    """All of it, on loopback."""
    binary = need_tool("prometheus")
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("gate"),
        listener=ListenerSettings(port=0),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1, janitor_seconds=1),
        scoring=ScoringSettings(workers=1),
    )
    folder = tmp_path_factory.mktemp("prometheus")
    async with running_gate(settings) as gate:
        with running_prometheus(binary, folder, f"{gate.url}metrics") as prometheus:
            yield Ward(gate, prometheus)


def exam(n_instances: int, first_seed: int = 0) -> list[Dataset]:
    """Speckle, every second one black, of two kinds of exam in turn, two by two."""
    instances = [
        make_instance(seed=first_seed + n, patient_name=CANARY) for n in range(n_instances)
    ]
    for n, instance in enumerate(instances):
        instance.BodyPartExamined = EXAMS[n // 2 % 2]
        if n % 2 == 0:
            instance.PixelData = bytes(len(instance.PixelData))
    return instances


async def test_the_dashboard_shows_what_a_running_gate_judged(ward: Ward) -> None:
    """Between two scrapes: counts, low shares and received objects equal what was pushed.

    The first exam only brings the series into being, since `increase` does not see a first value.
    """
    await ward.push(ROOM1, exam(4))
    since = await ward.push(ROOM2, exam(4))
    pushed = {ROOM1: exam(6, first_seed=10), ROOM2: exam(2, first_seed=20)}
    await ward.push(ROOM1, pushed[ROOM1])
    at = await ward.push(ROOM2, pushed[ROOM2])
    first, second = [await ward.verdicts(pushed[room]) for room in (ROOM1, ROOM2)]
    every = first + second
    exams = [each.BodyPartExamined for each in pushed[ROOM1] + pushed[ROOM2]]
    async with httpx.AsyncClient(base_url=ward.gate.url) as http:
        shown = (await http.get("/metrics")).text
    seconds = at - since

    expected: dict[str, Counts] = {
        "Verdicts A": Counter((each["band"], each["status"]) for each in every),
        "Low share A": {(): low_share(every)},
        "Low share by sender A": {(ROOM1,): low_share(first), (ROOM2,): low_share(second)},
        "Low share by exam type A": {
            (name,): low_share(
                [each for each, exam in zip(every, exams, strict=True) if exam == name]
            )
            for name in EXAMS
        },
        "Why images were low A": Counter(
            (finding["code"],)
            for each in every
            if each["band"] == "low"
            for finding in each["findings"]
        ),
        "Received, by sender and result A": {
            (ROOM1, "kept"): len(first) / seconds,
            (ROOM2, "kept"): len(second) / seconds,
        },
    }
    near = functools.partial(pytest.approx, rel=0.01)
    assert all(sum(wanted.values()) for wanted in expected.values())
    for name, wanted in expected.items():
        assert {k: near(v) for k, v in wanted.items() if v} == await ward.panel(name, since, at)
    assert CANARY not in shown


async def test_the_latency_shown_is_the_one_measured(ward: Ward) -> None:
    """Each quantile lies in the bucket of an image whose seconds were taken at both ends."""
    since = await ward.push(ROOM1, exam(1, first_seed=40))
    spans = [await ward.timed(instance) for instance in exam(8, first_seed=50)]
    at = await ward.push(ROOM1, [])
    least, most = sorted(low for low, _ in spans), sorted(high for _, high in spans)

    for letter, rank in (("A", 4), ("B", 8), ("C", 8)):
        (shown,) = (await ward.panel(f"Last byte to verdict {letter}", since, at)).values()
        assert floor_of(least[rank - 1]) <= shown <= ceiling_of(most[rank - 1]), letter


def floor_of(seconds: float) -> float:
    """Where the bucket of an observation begins."""
    return max((edge for edge in VERDICT_BUCKETS if edge < seconds), default=0.0)


def ceiling_of(seconds: float) -> float:
    """Where the bucket of an observation ends."""
    return min((edge for edge in VERDICT_BUCKETS if edge >= seconds), default=VERDICT_BUCKETS[-1])


async def test_the_queue_shown_is_the_one_that_waits(ward: Ward) -> None:
    """With the worker stopped, objects wait; their number and age are on the dashboard."""
    waiting = exam(2, first_seed=70)
    workers = ward.gate.pool.process_ids
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        pushed_at = time.time()
        assert await asyncio.to_thread(Cart(ward.gate.dicom_port, ROOM1).push, waiting)
        acknowledged_at = time.time()
        await asyncio.sleep(5)
        at = await asyncio.to_thread(ward.prometheus.wait_for, "sonogate_queue_objects", 2)
        shown = {name: await ward.now(name, at) for name in ("Queue A", "Queue age A")}
        oldest = await ward.now("Oldest image without a verdict A", at)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    await ward.push(ROOM1, [], n_more=2)

    assert {(): 2} == shown["Queue A"]
    assert oldest == shown["Queue age A"]
    assert at - acknowledged_at - GAUGE_SECONDS <= oldest[()] <= at - pushed_at


async def test_the_machine_shown_is_this_one(ward: Ward) -> None:
    """The provider is the verdicts', the room is the disk's, the bytes kept are the spool's."""
    images = exam(2, first_seed=80)
    await ward.push(ROOM1, images)
    (verdict, _) = await ward.verdicts(images)
    kept_bytes = await asyncio.to_thread(size_of_all, ward.gate.settings.data_dir)
    at = await asyncio.to_thread(ward.prometheus.wait_for, "sonogate_spool_used_bytes", kept_bytes)
    free_bytes = shutil.disk_usage(ward.gate.settings.data_dir).free

    provider = {(verdict["model"]["provider"],): 1.0}
    assert provider == await ward.now("Provider A", at)
    assert provider == await ward.now("Provider rung A", at)
    assert {(): kept_bytes} == await ward.now("Disk B", at)
    for name in ("Disk free A", "Disk A"):
        assert {(): pytest.approx(free_bytes, rel=0.05)} == await ward.now(name, at)


def size_of_all(data_dir: Path) -> int:
    """Add up what the database says of each object."""
    with closing(sqlite3.connect(data_dir / "sonogate.db")) as database:
        ((n_bytes,),) = database.execute("SELECT sum(size_bytes) FROM objects")
    return int(n_bytes)


async def test_every_query_is_understood_by_a_prometheus_that_scrapes_a_gate(ward: Ward) -> None:
    """No query fails; those that a gate fills from its first image on are not empty."""
    at = await ward.push(ROOM1, exam(3))
    answers = {
        name: await asyncio.to_thread(ward.prometheus.ask, as_grafana_asks(expr), at)
        for name, expr in QUERIES.items()
    }

    full = {
        "Oldest image without a verdict A",
        "Provider A",
        "Disk free A",
        "Queue A",
        "Associations A",
        "Outbox A",
        "Outbox age A",
        "Provider rung A",
    }
    assert set() == {name for name in full if not answers[name]}
    assert ward.gate.settings.spool.min_free_bytes < float(answers["Disk free A"][0]["value"][1])


def low_share(verdicts: Sequence[dict[str, Any]]) -> float:
    """Low among graded."""
    graded = [each for each in verdicts if each["status"] == "graded"]
    return len([each for each in graded if each["band"] == "low"]) / len(graded)
