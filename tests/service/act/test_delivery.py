"""Deliveries reach real receivers at least once, in order per study, whatever goes wrong."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from sonogate.act.backoff import Backoff
from sonogate.act.delivery import Delivery
from sonogate.act.signature import is_genuine
from sonogate.errors import SettingsError
from sonogate.observe import logs
from sonogate.observe.metrics import Metrics
from sonogate.settings import LogSettings, WebhookSettings
from sonogate.store.database import Database

pytestmark = pytest.mark.integration

QUICK = Backoff(first_seconds=0.02, max_seconds=0.05)
SECRET = "k" * 32
Owe = Callable[..., Awaitable[list[int]]]
MakeReceiver = Callable[..., Any]


def webhook(url: str, timeout_seconds: float = 5.0) -> WebhookSettings:
    """A receiver's settings, signed."""
    return WebhookSettings(url=url, secret=SecretStr(SECRET), timeout_seconds=timeout_seconds)


@asynccontextmanager
async def delivering(
    database: Database,
    *webhooks: WebhookSettings,
    metrics: Metrics | None = None,
    backoff: Backoff = QUICK,
) -> AsyncIterator[Delivery]:
    """Run a delivery for the time of the block, then stop it as a gate does."""
    delivery = Delivery(database, webhooks, metrics or Metrics(), backoff)
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    """Wait for a condition; fail loudly if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        await asyncio.sleep(0.01)


async def until_nothing_is_owed(database: Database) -> None:
    """Wait until the outbox is empty."""
    deadline = time.monotonic() + 8.0
    while (await database.read(lambda tx: tx.deliveries.backlog()))[0]:
        assert time.monotonic() < deadline, "the outbox did not empty"
        await asyncio.sleep(0.01)


async def test_an_event_arrives_signed_and_in_its_documented_form(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """The body says what happened to which study; the signature says that it was us."""
    receiver = make_receiver()
    target = webhook(receiver.url)
    metrics = Metrics()
    (event_id,) = await owe(database, (target,), "1.2.3")

    async with delivering(database, target, metrics=metrics):
        await until_nothing_is_owed(database)

    (request,) = receiver.requests
    assert {"id", "kind", "at", "study_instance_uid", "body"} == set(request.event)
    assert (event_id, "verdict", "1.2.3", {"n": 0}) == (
        request.event["id"],
        request.event["kind"],
        request.event["study_instance_uid"],
        request.event["body"],
    )
    now = int(time.time())
    assert is_genuine(request.signature, SECRET, request.key, request.body, now)
    assert 1.0 == metrics.registry.get_sample_value(
        "sonogate_deliveries_total", {"result": "delivered"}
    )


async def test_a_new_event_is_sent_at_once(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """`notify` wakes the lane; nobody waits for a poll."""
    receiver = make_receiver()
    target = webhook(receiver.url)
    async with delivering(database, target) as delivery:
        await asyncio.sleep(0.3)
        await owe(database, (target,), "1.2.3")
        delivery.notify()

        await until(lambda: len(receiver.effects) == 1, seconds=2.0)


async def test_server_errors_are_retried_with_the_same_key_and_bytes(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """A receiver that dedupes by the key ends with one effect."""
    receiver = make_receiver(lambda n, _event: 500 if n < 4 else 200)
    target = webhook(receiver.url)
    metrics = Metrics()
    await owe(database, (target,), "1.2.3")

    async with delivering(database, target, metrics=metrics):
        await until_nothing_is_owed(database)

    assert 4 == len(receiver.requests)
    assert 1 == len({(request.key, request.body) for request in receiver.requests})
    assert 1 == len(receiver.effects)
    assert 3.0 == metrics.registry.get_sample_value(
        "sonogate_deliveries_total", {"result": "failed"}
    )


async def test_a_study_arrives_in_order_while_others_pass_by(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """An event that a receiver refuses holds up its own study, and no other."""
    refused: list[int] = []

    def refuse_the_first_twice(_n: int, event: dict[str, Any]) -> int:
        if event["body"]["n"] == 0 and len(refused) < 2:
            refused.append(0)
            return 422
        return 200

    receiver = make_receiver(refuse_the_first_twice)
    target = webhook(receiver.url)
    await owe(database, (target,), "A", "A", "B", "A", "B", "C")

    slow = Backoff(first_seconds=0.3, max_seconds=0.3)
    async with delivering(database, target, backoff=slow):
        await until_nothing_is_owed(database)

    arrived = [(e["study_instance_uid"], e["body"]["n"]) for e in receiver.effects.values()]
    by_study = {study: [n for s, n in arrived if s == study] for study in "ABC"}
    assert {"A": [0, 1, 3], "B": [2, 4], "C": [5]} == by_study
    assert ("A", 0) == arrived[3], "B and C should not have waited for A"


async def test_a_receiver_that_hangs_holds_up_no_other(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Each webhook has its own lane; a time-out is a failed attempt like any other."""
    hanging = make_receiver(lambda n, _event: "hang" if n < 3 else 200)
    well = make_receiver()
    targets = (webhook(hanging.url, timeout_seconds=0.4), webhook(well.url))
    await owe(database, targets, *(f"1.{n}" for n in range(10)))

    async with delivering(database, *targets):
        started = time.monotonic()
        await until(lambda: len(well.effects) == 10)
        assert time.monotonic() - started < 1.0
        await until_nothing_is_owed(database)

    assert 10 == len(hanging.effects)
    assert len(hanging.requests) > 10, "the time-outs should have been tried again"


async def test_a_receiver_that_is_down_gets_all_of_it_when_it_is_back(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Refused connections lose nothing."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    target = webhook(f"http://127.0.0.1:{port}/hook/s3cr3t-path")
    metrics = Metrics()
    await owe(database, (target,), "A", "A", "B")

    async with delivering(database, target, metrics=metrics):
        await until(lambda: _failed(metrics) >= 3)
        receiver = make_receiver(port=port)
        await until_nothing_is_owed(database)

    assert 3 == len(receiver.effects)


async def test_a_restart_between_effect_and_answer_ends_with_one_effect(
    database_url: str, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """The gate stops while the receiver has the event but has not answered: it is sent again."""
    receiver = make_receiver(lambda n, _event: "hang" if n == 1 else 200)
    target = webhook(receiver.url)
    first = Database(database_url)
    await first.open()
    await owe(first, (target,), "1.2.3")
    async with delivering(first, target):
        await until(lambda: len(receiver.effects) == 1)
    await first.close()

    second = Database(database_url)
    await second.open()
    async with delivering(second, target):
        await until_nothing_is_owed(second)
    await second.close()

    assert 2 == len(receiver.requests)
    assert 1 == len(receiver.effects)
    assert receiver.requests[0].body == receiver.requests[1].body


async def test_a_planned_wait_survives_a_restart(
    database_url: str, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Restarting a gate in a loop must not hammer a receiver that is down."""
    receiver = make_receiver(lambda _n, _event: 503)
    target = webhook(receiver.url)
    patient = Backoff(first_seconds=3600, max_seconds=3600)
    for _ in range(3):
        database = Database(database_url)
        await database.open()
        if not receiver.requests:
            await owe(database, (target,), "1.2.3")
        async with delivering(database, target, backoff=patient):
            await asyncio.sleep(0.3)
        await database.close()

    assert 1 == len(receiver.requests)


async def test_a_sick_receiver_is_asked_now_and_then_and_not_flooded(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """A backlog of many studies becomes one probe at a time, not one attempt per study."""
    receiver = make_receiver(lambda _n, _event: 503)
    target = webhook(receiver.url)
    await owe(database, (target,), *(f"1.{n}" for n in range(200)))

    async with delivering(database, target, backoff=Backoff(first_seconds=0.2, max_seconds=900)):
        await asyncio.sleep(2.0)

    assert 2 <= len(receiver.requests) <= 12


async def test_a_receiver_may_ask_for_time(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Retry-After (RFC 9110 10.2.3) is respected, up to our own maximum."""
    asked = {"code": "429", "Retry-After": "1"}
    receiver = make_receiver(lambda n, _event: asked if n == 1 else 200)
    target = webhook(receiver.url)
    await owe(database, (target,), "1.2.3")

    async with delivering(database, target, backoff=Backoff(first_seconds=0.01, max_seconds=5)):
        await until_nothing_is_owed(database)

    first, second = receiver.requests
    assert second.at - first.at >= 0.95


async def test_a_redirect_is_not_followed(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Verdicts go where the settings say and nowhere else, even if asked to keep the POST (307)."""
    elsewhere = make_receiver()
    moved = {"code": "307", "Location": elsewhere.url}
    receiver = make_receiver(lambda n, _event: moved if n < 3 else 200)
    target = webhook(receiver.url)
    await owe(database, (target,), "1.2.3")

    async with delivering(database, target):
        await until_nothing_is_owed(database)

    assert 3 == len(receiver.requests)
    assert [] == elsewhere.requests


async def test_an_endless_answer_is_left_unread(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """Only the status counts; nobody fills our memory with an answer."""
    receiver = make_receiver(lambda _n, _event: "endless")
    target = webhook(receiver.url)
    await owe(database, (target,), "A", "B")

    async with delivering(database, target):
        await until_nothing_is_owed(database)

    assert 2 == len(receiver.requests)


async def test_a_proxy_of_the_environment_is_not_used(
    database: Database, owe: Owe, make_receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a shell happens to export must not decide where verdicts go."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    receiver = make_receiver()
    target = webhook(receiver.url)
    await owe(database, (target,), "1.2.3")

    async with delivering(database, target):
        await until_nothing_is_owed(database)

    assert 1 == len(receiver.effects)


async def test_the_backlog_is_shown_with_its_age(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """The alarm goes by age, since nothing is ever given up."""
    receiver = make_receiver(lambda _n, _event: 503)
    target = webhook(receiver.url)
    metrics = Metrics()
    await owe(database, (target,), "A", "A", "B")

    async with delivering(database, target, metrics=metrics):
        await until(lambda: (_value(metrics, "sonogate_outbox_oldest_seconds") or 0) > 1)

    assert 3.0 == _value(metrics, "sonogate_outbox_pending")


async def test_what_is_owed_to_a_receiver_that_left_the_settings_is_kept_for_a_day(
    database: Database, owe: Owe, make_receiver: MakeReceiver
) -> None:
    """A slip in the settings can be mended; a receiver gone for good holds no pixels for ever."""
    receiver = make_receiver()
    gone, stays = webhook("http://gone.example/hook"), webhook(receiver.url)
    day = timedelta(hours=24)
    await owe(database, (gone,), "A", at=datetime.now(UTC) - day - timedelta(minutes=1))
    await owe(database, (gone,), "B", at=datetime.now(UTC) - day + timedelta(minutes=1))
    await owe(database, (stays,), "C", at=datetime.now(UTC) - 30 * day)

    async with delivering(database, stays):
        await until(lambda: len(receiver.effects) == 1)
        await asyncio.sleep(0.2)

    assert 1 == (await database.read(lambda tx: tx.deliveries.backlog()))[0]


async def test_logs_name_the_host_and_never_the_address_or_the_secret(
    database: Database,
    owe: Owe,
    make_receiver: MakeReceiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Many receivers carry their key in the path."""
    logs.configure(LogSettings(level="debug"))
    receiver = make_receiver(lambda n, _event: 500 if n == 1 else 200)
    target = webhook(receiver.url + "?token=t0ken")
    await owe(database, (target,), "1.2.840.99")

    async with delivering(database, target):
        await until_nothing_is_owed(database)

    written = "".join(capsys.readouterr())
    assert '"url_host": "127.0.0.1"' in written
    assert '"reason": "status_500"' in written
    for secret in ("s3cr3t-path", "t0ken", SECRET, "1.2.840.99"):
        assert secret not in written


@pytest.mark.parametrize("url", ["http://receiver:port/hook", "http://user@/hook"])
def test_an_address_that_cannot_be_posted_to_stops_the_start(url: str) -> None:
    """Better at the start than as a backlog tomorrow; the address itself is not repeated."""
    with pytest.raises(SettingsError, match="http"):
        Delivery(Database("sqlite://"), (webhook(url),), Metrics())


def test_two_webhooks_of_one_address_stop_the_start() -> None:
    """The outbox knows receivers by their address."""
    twice = (webhook("http://receiver/hook"), webhook("http://receiver/hook"))

    with pytest.raises(SettingsError, match="same url"):
        Delivery(Database("sqlite://"), twice, Metrics())


def _failed(metrics: Metrics) -> float:
    value = metrics.registry.get_sample_value("sonogate_deliveries_total", {"result": "failed"})
    return value or 0.0


def _value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)
