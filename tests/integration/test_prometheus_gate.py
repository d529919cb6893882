"""A running gate, scraped by a real Prometheus: every query of the dashboard shows what was pushed.

A day is lived twice: `increase` does not see the first value of a series, so the first day only
brings every series into being. Between the scrape after it and the last one lies what is compared.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pydicom.uid import generate_uid

from sonogate.settings import (
    DestinationSettings,
    ForwardSettings,
    HttpSettings,
    ListenerSettings,
    MppsServerSettings,
    MppsSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
    TrackSettings,
    WebhookSettings,
)
from sonogate.testing import running_gate
from tests.integration.known_day import CANARY, Day, Doors, Sent, picture, still
from tests.integration.known_panels import PANELS
from tests.integration.known_ward import ROOM2, Ear, Ward
from tests.integration.known_window import Span, Window
from tests.integration.prometheus_server import QUERIES, as_grafana_asks, running_prometheus
from tests.ports import free_port
from tests.service.act.conftest import Receiver

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(300),  # two days; on a machine with much else to do they are long
    pytest.mark.asyncio(loop_scope="module"),  # one gate for all
]

QUIET_SECONDS = 0.5
"""So far from a scrape no attempt of a delivery may be: it would be seen, or not."""


@dataclass(frozen=True)
class Looked:
    """What was asked at the last scrape, and what is known of the time before it."""

    window: Window
    shown: dict[str, dict[tuple[str, ...], float]]  #: by query
    text: str  #: of /metrics


def settings(folder: Path, receiver: Receiver) -> Settings:
    """One worker, short times, free ports; a folder takes all objects, nobody listens for others.

    The archive is dead, the MPPS server too: nobody sends steps here.
    """
    shelf = folder / "shelf"
    shelf.mkdir()
    nobody = {"host": "127.0.0.1", "port": free_port()}
    return Settings(
        data_dir=folder,
        listener=ListenerSettings(port=0, check_called_ae=True, max_object_bytes=400_000),
        http=HttpSettings(port=0),
        spool=SpoolSettings(min_free_bytes=1, janitor_seconds=1),
        scoring=ScoringSettings(workers=1, deadline_seconds=16),
        track=TrackSettings(settle_seconds=2, close_seconds=9),
        webhooks=(WebhookSettings(url=receiver.url),),
        forward=ForwardSettings(
            destinations=(
                DestinationSettings(name="shelf", kind="folder", folder=shelf),
                DestinationSettings(name="dead", ae_title="DEAD", retry_max_seconds=3600, **nobody),
            )
        ),
        mpps=MppsSettings(forward_to=(MppsServerSettings(name="ris", ae_title="RIS", **nobody),)),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> AsyncIterator[Ward]:
    """All of it, on loopback."""
    binary = need_tool("prometheus")
    ear = Ear()
    receiver = Receiver(ear)
    folder = tmp_path_factory.mktemp("prometheus")
    try:
        async with (
            running_gate(settings(tmp_path_factory.mktemp("gate"), receiver)) as gate,
            httpx.AsyncClient(base_url=gate.url, timeout=60) as http,
        ):
            with running_prometheus(binary, folder, f"{gate.url}metrics") as prometheus:
                yield Ward(gate, prometheus, receiver, ear, http)
    finally:
        receiver.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looked(ward: Ward) -> Looked:
    """Live the day twice; then let objects, events and associations wait, and look."""
    earlier = await ward.live()
    since = await ward.scraped()
    day = await ward.live(with_deadline=True)
    owed = await events_that_wait(ward)
    held = [await asyncio.to_thread(ward.cart(ROOM2).associate) for _ in range(2)]
    with ward.held_worker():
        waiting = await images_that_wait(ward)
        at = await scraped_in_between(ward)
        shown = {name: await ask(ward, expr, since, at) for name, expr in QUERIES.items()}
        scrapes = await ask(ward, "count_over_time(up[$__range])", since, at)
    for assoc in held:
        await asyncio.to_thread(assoc.release)
    window = Window(
        day=day,
        earlier=[earlier],
        ear=ward.ear,
        since=since,
        at=at,
        n_scrapes=int(sum(scrapes.values())) - 1,
        owed=owed,
        waiting=waiting,
        n_open=len(held),
        data_dir=ward.gate.settings.data_dir,
    )
    return Looked(window, shown, (await ward.http.get("/metrics")).text)


async def events_that_wait(ward: Ward) -> list[Sent]:
    """Judge two pictures, of no study, while the receiver is down."""
    await asyncio.to_thread(ward.prometheus.wait_for, "sonogate_outbox_pending", 0)
    ward.ear.is_down = True
    doors = Doors(ward.http, ward.days[-1])
    for seed in (11, 12):
        await ward.post(doors, picture(seed), "image/png", "none")
    return ward.days[-1].sent[-2:]


async def images_that_wait(ward: Ward) -> list[Sent]:
    """Push two stills that no worker looks at."""
    cart = ward.cart(ROOM2)
    cart.day = Day()
    study = generate_uid()
    stills = [still("ABDOMEN", study=study, seed=n) for n in (20, 21)]
    waiting = await ward.push(cart, *stills)
    ward.days[-1].ended += cart.day.ended
    return waiting


async def scraped_in_between(ward: Ward) -> float:
    """Return the time of a scrape with no attempt of a delivery near it, which would race it."""
    while True:
        at = await ward.scraped()
        await asyncio.sleep(QUIET_SECONDS)
        if not [tried for tried, _ in ward.ear.attempts if abs(tried - at) < QUIET_SECONDS]:
            return at


async def ask(ward: Ward, expr: str, since: float, at: float) -> dict[tuple[str, ...], float]:
    """Ask at the last scrape about the time since the first, as Grafana would."""
    asked = as_grafana_asks(expr, range_ms=round((at - since) * 1000) + 1)
    return await asyncio.to_thread(ward.prometheus.values, asked, at)


async def test_every_query_is_known() -> None:
    """A query that nobody compares is not added."""
    assert set(QUERIES) == set(PANELS)


@pytest.mark.parametrize("name", QUERIES)
async def test_the_dashboard_shows_what_was_pushed(name: str, looked: Looked) -> None:
    """Every series of every query: its labels, its value; nothing more, nothing less."""
    expected, shown = PANELS[name](looked.window), looked.shown[name]
    wrong = {
        key: (expected.get(key, Span(0, 0)), shown.get(key))
        for key in {*expected, *shown}
        if shown.get(key, 0.0) not in expected.get(key, Span(0, 0))
    }

    assert {} == wrong
    assert expected
    assert set(expected) <= set(shown)


async def test_no_metric_names_a_patient(looked: Looked) -> None:
    """Nothing that a sender wrote about a person is in them."""
    assert CANARY not in looked.text
