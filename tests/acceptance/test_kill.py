"""Kill anything at any moment: nothing acknowledged is lost, and each effect happens once."""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served

N_CARTS = 2
PATIENCE_SECONDS = 180.0  # in which nothing more happens

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@dataclass
class Receiver:
    """A webhook receiver that acts once per idempotency key, as receivers are told to."""

    port: int = 0
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    n_requests: int = 0

    def take(self, key: str, body: bytes) -> None:
        """Handle one request."""
        self.n_requests += 1
        self.bodies.setdefault(key, set()).add(body)
        self.effects.setdefault(key, json.loads(body))

    def verdict_effects(self) -> Counter[str]:
        """Count effects per SOP instance UID."""
        return Counter(
            effect["body"]["verdict"]["sop_instance_uid"]
            for effect in self.effects.values()
            if effect["kind"] == "verdict"
        )


@contextmanager
def receiving(drop_every: int) -> Iterator[Receiver]:
    """Run a webhook receiver; it drops every so many connections after it has acted."""
    receiver = Receiver()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Act, then answer or hang up."""
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the gate was killed while it sent: nothing was asked of us
                self.close_connection = True
                return
            receiver.take(self.headers["Idempotency-Key"], body)
            if receiver.n_requests % drop_every == 0:
                self.close_connection = True
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def push_until_done(cart: Cart, instances: list[Any], stop: threading.Event) -> None:
    """Push, and push again after every broken association, as a cart does."""
    while not stop.is_set() and not cart.push(instances):
        time.sleep(0.2)


@dataclass
class Pace:
    """Spreads the push over all kills: each kill frees a share of the objects."""

    share: int
    carts: list[Cart] = field(default_factory=list)
    quota: float = 0

    def wait(self) -> None:
        """Hold a cart back while its share is used up."""
        while sum(len(cart.acknowledged) for cart in self.carts) >= self.quota:
            time.sleep(0.002)


def kill_at_random(served: Served, n_kills: int, pace: Pace) -> None:
    """Kill the gate or one of its workers at random moments while carts push."""
    rng = random.Random(11)
    for _ in range(n_kills):
        pace.quota += pace.share
        time.sleep(rng.uniform(0.02, 0.5))
        if rng.random() < 0.3:
            served.kill_a_worker()
        else:
            served.kill()
            served.start()
    pace.quota = float("inf")


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.timeout(3600)
def test_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """What was acknowledged before a kill has a verdict after restart; each effect is one."""
    n_kills = int(os.environ.get("SONOGATE_KILLS", "20"))
    n_objects = max(300, 15 * n_kills)
    exam = [make_instance(seed=seed, height=120, width=160) for seed in range(n_objects)]
    pace = Pace(n_objects // n_kills)
    with receiving(drop_every=n_objects // 60) as receiver:
        hook = (
            f'[[webhooks]]\nurl = "http://127.0.0.1:{receiver.port}/hook"\nevents = ["verdict"]\n'
        )
        served = Served(tmp_path, extra_toml=hook)
        served.start()
        stop = threading.Event()
        carts = [
            Cart(served.dicom_port, f"CART{number}", pace=pace.wait) for number in range(N_CARTS)
        ]
        pace.carts = carts
        threads = [
            threading.Thread(target=push_until_done, args=(cart, exam[number::N_CARTS], stop))
            for number, cart in enumerate(carts)
        ]
        try:
            for thread in threads:
                thread.start()
            kill_at_random(served, n_kills, pace)
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
            acknowledged = {uid for cart in carts for uid in cart.acknowledged}
            verdicts = wait_for_verdicts(served, acknowledged)
            wait_for_effects(receiver, acknowledged)
        finally:
            stop.set()
            pace.quota = float("inf")
            served.stop()
            for thread in threads:
                thread.join()
    print(f"{n_kills} kills, {len(acknowledged)} acknowledged, {receiver.n_requests} requests")  # noqa: T201

    assert n_objects == len(acknowledged)
    assert {"graded": n_objects} == dict(Counter(verdicts.values()))
    assert dict.fromkeys(acknowledged, 1) == dict(receiver.verdict_effects())
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())


def wait_for_verdicts(served: Served, uids: set[str]) -> dict[str, str]:
    """Return the status of every instance once none is pending, or at the end of patience."""
    statuses = dict.fromkeys(uids, "pending")
    waiting, deadline = list(uids), time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < deadline:
        for uid in waiting:
            statuses[uid] = served.get(f"/v1/instances/{uid}")["status"]
        left = [uid for uid in waiting if statuses[uid] == "pending"]
        if len(left) < len(waiting):
            deadline = time.monotonic() + PATIENCE_SECONDS
        waiting = left
        time.sleep(0.2)
    return statuses


def wait_for_effects(receiver: Receiver, uids: set[str]) -> None:
    """Wait until every instance had its effect, or until patience ends."""
    n_before, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and set(receiver.verdict_effects()) < uids:
        n_effects = len(receiver.verdict_effects())
        if n_effects > n_before:
            n_before, deadline = n_effects, time.monotonic() + PATIENCE_SECONDS
        time.sleep(0.2)
