"""A running gate, scraped by a real Prometheus: the dashboard shows what was pushed."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from pydicom.dataset import Dataset

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

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),  # one gate for all
]

CANARY = "CANARY^PATIENT^NAME"
ROOM1, ROOM2 = "ROOM1", "ROOM2"
Counts = dict[tuple[str, ...], float]


@dataclass
class Ward:
    """A gate, the carts that send to it, and the Prometheus that watches it."""

    gate: Gate
    prometheus: Prometheus
    n_judged: int = 0

    async def push(self, sender: str, instances: Sequence[Dataset]) -> float:
        """Push, and wait until all of it was judged and scraped; return the time of the scrape."""
        assert await asyncio.to_thread(Cart(self.gate.dicom_port, sender).push, instances)
        self.n_judged += len(instances)
        return await asyncio.to_thread(
            self.prometheus.wait_for,
            'sonogate_verdict_seconds_count{kind="still"}',
            self.n_judged,
            seconds=60.0,
        )

    async def verdicts(self, http: httpx.AsyncClient, instances: Sequence[Dataset]) -> Counts:
        """What the API says of these, counted by (band, status)."""
        counts: Counts = {}
        for instance in instances:
            body = (await http.get(f"/v1/instances/{instance.SOPInstanceUID}")).json()
            key = (str(body["band"] or "none"), str(body["status"]))
            counts[key] = counts.get(key, 0) + 1
        return counts

    async def panel(self, name: str, since: float, at: float) -> Counts:
        """A panel's values for the time between two scrapes, zeros left out."""
        ask = functools.partial(as_grafana_asks, range_ms=round((at - since) * 1000) + 1)
        found = await asyncio.to_thread(self.prometheus.values, ask(QUERIES[name]), at)
        return {key: value for key, value in found.items() if value}


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
        spool=SpoolSettings(min_free_bytes=1),
        scoring=ScoringSettings(workers=1),
    )
    folder = tmp_path_factory.mktemp("prometheus")
    async with running_gate(settings) as gate:
        with running_prometheus(binary, folder, f"{gate.url}metrics") as prometheus:
            yield Ward(gate, prometheus)


def exam(n_instances: int, first_seed: int = 0) -> list[Dataset]:
    """Speckle, every second one black."""
    instances = [
        make_instance(seed=first_seed + n, patient_name=CANARY) for n in range(n_instances)
    ]
    for instance in instances[::2]:
        instance.PixelData = bytes(len(instance.PixelData))
    return instances


async def test_the_dashboard_shows_what_a_running_gate_judged(ward: Ward) -> None:
    """Between two scrapes: counts, low shares and received objects equal what was pushed.

    The first exam only brings the series into being, since `increase` does not see a first value.
    """
    await ward.push(ROOM1, exam(4))
    since = await ward.push(ROOM2, exam(4))
    first, second = exam(6, first_seed=10), exam(2, first_seed=20)
    await ward.push(ROOM1, first)
    at = await ward.push(ROOM2, second)
    async with httpx.AsyncClient(base_url=ward.gate.url) as http:
        counted = await ward.verdicts(http, [*first, *second])
        by_sender = {
            (ROOM1,): low_share(await ward.verdicts(http, first)),
            (ROOM2,): low_share(await ward.verdicts(http, second)),
        }
        shown = (await http.get("/metrics")).text

    near = functools.partial(pytest.approx, rel=0.01)
    assert near(counted) == await ward.panel("Verdicts A", since, at)
    assert near({k: v for k, v in by_sender.items() if v}) == await ward.panel(
        "Low share by sender A", since, at
    )
    assert CANARY not in shown


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


def low_share(counts: Counts) -> float:
    """Low among graded."""
    graded = sum(count for (_, status), count in counts.items() if status == "graded")
    return counts.get(("low", "graded"), 0) / graded
