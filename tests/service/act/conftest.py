"""A store with an outbox, and receivers that really listen, on loopback."""

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sonogate.settings import WebhookSettings
from sonogate.store.database import Database
from sonogate.store.records import DeliveryTargets, EventKind

HANG_SECONDS = 1.5
"""Longer than any test's time-out of one attempt."""

Answer = int | str | dict[str, str]
"""A status code; "hang", "endless"; or the headers of a 429 or 307."""


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    key: str
    signature: str
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The event in it."""
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class Receiver:
    """A webhook receiver that dedupes by Idempotency-Key, as the documentation asks."""

    answer: Callable[[int, dict[str, Any]], Answer] = lambda _n, _event: 200
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server: _Server = _Server(("127.0.0.1", self.port), _Handler)
        self.server.receiver = self
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        """Its address, with a path that nobody may log."""
        return f"http://127.0.0.1:{self.port}/hook/s3cr3t-path"

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    """Knows whose requests it takes."""

    daemon_threads = False
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Note the request, have its effect once, answer as told."""
        request = Request(
            self.headers["Idempotency-Key"],
            self.headers.get("Sonogate-Signature", ""),
            self.rfile.read(int(self.headers["Content-Length"])),
            time.monotonic(),
        )
        receiver = self.server.receiver
        receiver.requests.append(request)
        answer = receiver.answer(len(receiver.requests), request.event)
        if answer in (200, "hang", "endless"):
            receiver.effects.setdefault(request.key, request.event)
        with suppress(OSError):
            self._say(answer)

    def _say(self, answer: Answer) -> None:
        if answer == "hang":
            time.sleep(HANG_SECONDS)
        length = 1 << 40 if answer == "endless" else 2
        headers = answer if isinstance(answer, dict) else {}
        self.send_response(answer if isinstance(answer, int) else int(headers.get("code", 200)))
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, length, 1 << 16):
            self.wfile.write(bytes(min(length - start, 1 << 16)))

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    """Return a function that starts a receiver; all stop with the test."""
    started: list[Receiver] = []

    def make(
        answer: Callable[[int, dict[str, Any]], Answer] = lambda _n, _event: 200, port: int = 0
    ) -> Receiver:
        started.append(Receiver(answer, port))
        return started[-1]

    yield make
    for receiver in started:
        receiver.close()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A store in a folder of the test's own."""
    return f"sqlite:///{tmp_path / 'gate.db'}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open store."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


async def owe(
    database: Database,
    webhooks: tuple[WebhookSettings, ...],
    *studies: str,
    at: datetime | None = None,
) -> list[int]:
    """Write one event for each study named, in order, owed to every webhook; return the ids."""
    targets = DeliveryTargets.from_settings(webhooks)
    return await database.write(
        lambda tx: [
            tx.events.append(
                EventKind.VERDICT, at or datetime.now(UTC), {"n": n}, targets, study_uid=study
            )
            for n, study in enumerate(studies)
        ]
    )


@pytest.fixture(name="owe")
def _owe() -> Callable[..., Any]:
    return owe
