"""Kill a gate and its children at random moments while carts push."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pydicom.dataset import Dataset

from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served

PATIENCE_SECONDS = 180.0
"""In which nothing more happens."""
CHILD_SHARE = 0.3
"""Of the kills; the others end the gate, and with it the thread that writes the database."""


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


def push_until_done(cart: Cart, instances: list[Dataset], stop: threading.Event) -> None:
    """Push, and push again after every broken association, as a cart does."""
    while not stop.is_set() and not cart.push(instances):
        time.sleep(0.2)


class Door(Protocol):
    """Whatever takes objects and can be stopped."""

    dicom_port: int

    def stop(self) -> None:
        """End."""


@contextmanager
def pushing(
    served: Door, exam: list[Dataset], n_carts: int, pace: Pace
) -> Iterator[Callable[[], set[str]]]:
    """Let carts share an exam; yield what waits for them and returns the UIDs acknowledged."""
    stop = threading.Event()
    carts = [Cart(served.dicom_port, f"CART{number}", pace=pace.wait) for number in range(n_carts)]
    pace.carts = carts
    threads = [
        threading.Thread(target=push_until_done, args=(cart, exam[number::n_carts], stop))
        for number, cart in enumerate(carts)
    ]

    def finish() -> set[str]:
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        return {uid for cart in carts for uid in cart.acknowledged}

    for thread in threads:
        thread.start()
    try:
        yield finish
    finally:
        stop.set()
        pace.quota = float("inf")
        served.stop()
        for thread in threads:
            thread.join()


def kill_at_random(served: Served, n_kills: int, pace: Pace) -> Counter[str]:
    """Kill the gate or one of its children at random moments; return how often which.

    SONOGATE_KILL_SEED chooses the moments, so that several runs may share the kills.
    """
    rng = random.Random(int(os.environ.get("SONOGATE_KILL_SEED", "11")))
    killed: Counter[str] = Counter()
    while killed.total() < n_kills:
        pace.quota += pace.share
        time.sleep(rng.uniform(0.02, 0.5))
        if rng.random() < CHILD_SHARE:
            if role := served.kill_a_child(rng.choice):
                killed[role] += 1
        else:
            served.kill()
            killed["gate"] += 1
            served.start()
    pace.quota = float("inf")
    return killed


def wait_while_it_falls(count: Callable[[], int]) -> int:
    """Wait until a count of what is missing is 0, or falls no more; return it."""
    left = count()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.3)
        now = count()
        if now < left:
            deadline = time.monotonic() + PATIENCE_SECONDS
        left = min(left, now)
    return left
