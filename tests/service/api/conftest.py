"""An HTTP door over fakes of the rooms behind it, in process and over a real uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from sonogate.api.app import make_app
from sonogate.api.dependencies import ApiPorts, PictureKind
from sonogate.domain.instance import MediaType
from sonogate.domain.rejection import Rejection
from sonogate.domain.study import Study, StudyInstance, StudyStatus, StudySummary
from sonogate.domain.verdict import Band, Override, Ruling, Status, Verdict
from sonogate.errors import StudyStateError, UnknownInstanceError, UnknownStudyError
from sonogate.observe.health import Check, Readiness
from sonogate.observe.metrics import Metrics
from sonogate.settings import HttpSettings
from sonogate.store.records import Event, SenderReport

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
OBJECT_ID = "01J00000000000000000000001"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def make_verdict(uid: str = "1.2.3", **changes: Any) -> Verdict:
    """Make a low verdict."""
    facts: dict[str, Any] = {
        "sop_instance_uid": uid,
        "study_instance_uid": "1.2",
        "status": Status.GRADED,
        "band": Band.LOW,
        "quality": 21.5,
        "reason": "Left third is dark from the skin down.",
        "action": "Add gel, recouple the probe.",
        "received_at": NOW,
        **changes,
    }
    return Verdict(**facts)


def make_study(uid: str = "1.2", **changes: Any) -> Study:
    """Make an open study with one low image."""
    instance = StudyInstance(
        number=1,
        object_id=OBJECT_ID,
        content_sha256="a" * 64,
        conflict=False,
        current=True,
        verdict=make_verdict(),
    )
    facts: dict[str, Any] = {
        "study_instance_uid": uid,
        "calling_ae": "CART1",
        "status": StudyStatus.RECEIVING,
        "ready_to_close": False,
        "opened_at": NOW,
        "last_received_at": NOW,
        "received": 1,
        "high": 0,
        "medium": 0,
        "low": 1,
        "not_applicable": 0,
        "unscorable": 0,
        "pending": 0,
        "reacquire": [1],
        "unscored": [],
        "instances": [instance],
        "questions": [],
        **changes,
    }
    return Study(**facts)


@dataclass
class FakeStudies:
    """Studies in memory; the same answers and errors as the real facade."""

    verdicts: dict[str, Verdict] = field(default_factory=lambda: {"1.2.3": make_verdict()})
    by_object: dict[str, Verdict] = field(default_factory=lambda: {OBJECT_ID: make_verdict()})
    studies: dict[str, Study] = field(default_factory=lambda: {"1.2": make_study()})
    answers: list[tuple[str, int, int, bool, str]] = field(default_factory=list)
    revoked_by: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def instance(self, uid: str, content_sha256: str | None = None) -> Verdict:
        """Return a verdict."""
        if self.error:
            raise self.error
        if uid not in self.verdicts or content_sha256 not in (None, "a" * 64):
            raise UnknownInstanceError
        return self.verdicts[uid]

    async def versions(self, uid: str) -> list[tuple[str, Verdict]]:
        """Return one version."""
        return [("a" * 64, await self.instance(uid))]

    async def picture(self, uid: str, kind: PictureKind) -> bytes:
        """Return a PNG that names its kind."""
        await self.instance(uid)
        return PNG + kind.encode()

    async def picture_of_object(self, object_id: str, kind: PictureKind) -> bytes:
        """Return a PNG that names its kind."""
        await self.verdict_of_object(object_id)
        return PNG + kind.encode()

    async def verdict_of_object(self, object_id: str) -> Verdict:
        """Return a verdict."""
        if object_id not in self.by_object:
            raise UnknownInstanceError
        return self.by_object[object_id]

    async def list(self, status: StudyStatus | None = None, limit: int = 100) -> list[StudySummary]:
        """Return summaries."""
        found = [one for one in self.studies.values() if status in (None, one.status)]
        names = StudySummary.model_fields.keys()
        return [StudySummary(**{name: getattr(one, name) for name in names}) for one in found][
            :limit
        ]

    async def get(self, study_uid: str) -> Study:
        """Return a study."""
        if study_uid not in self.studies:
            raise UnknownStudyError
        return self.studies[study_uid]

    async def close(self, study_uid: str, by: str) -> Study:
        """Close a study."""
        changes = {"status": StudyStatus.CLOSED, "closed_at": NOW, "closed_by": "rest"}
        self.studies[study_uid] = (await self.get(study_uid)).model_copy(update=changes)
        return self.studies[study_uid]

    async def override(self, uid: str, band: Ruling, reason: str, by: str) -> Verdict:
        """Put a person's word over the machine's."""
        override = Override(band=band, reason=reason, by=by, at=NOW)
        self.verdicts[uid] = (await self.instance(uid)).model_copy(update={"override": override})
        return self.verdicts[uid]

    async def revoke_override(self, uid: str, by: str) -> Verdict:
        """Take it back."""
        if not (await self.instance(uid)).override:
            raise StudyStateError("There is no override to take back.")
        self.revoked_by.append(by)
        self.verdicts[uid] = self.verdicts[uid].model_copy(update={"override": None})
        return self.verdicts[uid]

    async def reject(self, uid: str, reason: str, by: str) -> Verdict:
        """Return the verdict; this door sends no rejections."""
        return await self.instance(uid)

    async def revoke_rejection(self, uid: str, by: str) -> Verdict:
        """Return the verdict; this door sends no rejections."""
        return await self.instance(uid)

    async def rejection(self, uid: str) -> Rejection | None:
        """Nothing is rejected."""
        await self.instance(uid)
        return None

    async def answer(
        self, study_uid: str, newer: int, older: int, *, replaces: bool, by: str
    ) -> Study:
        """Note an answer."""
        study = await self.get(study_uid)
        self.answers.append((study_uid, newer, older, replaces, by))
        return study

    async def senders(self) -> Sequence[SenderReport]:
        """Return one late sender."""
        return [
            SenderReport(
                calling_ae="CART1",
                n_objects=12,
                last_received_at=NOW,
                sends_late_seconds=900.0,
                clock_skewed=False,
                advice="sender_sends_late",
            )
        ]


class FakeFeed:
    """An event log in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.n_pruned = 0
        self.grown = asyncio.Event()

    def add(self, kind: str = "verdict", **body: Any) -> Event:
        """Append an event and wake who waits."""
        event = Event(
            id=len(self.events) + 1,
            at=NOW,
            kind=kind,
            study_uid="1.2",
            object_id=OBJECT_ID,
            body=body,
        )
        self.events.append(event)
        self.notify()
        return event

    async def after(self, event_id: int, limit: int = 500) -> list[Event]:
        """Return the next events."""
        return self.events[event_id : event_id + limit]

    async def pruned_to(self) -> int:
        """Return the newest id that is gone."""
        return self.n_pruned

    async def wait(self, event_id: int, timeout_seconds: float) -> None:
        """Wait for growth."""
        if len(self.events) > event_id:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.grown.wait()
        except TimeoutError:
            return

    async def last_id(self) -> int:
        """Return the latest id."""
        return len(self.events)

    def notify(self) -> None:
        """Wake who waits."""
        self.grown.set()
        self.grown = asyncio.Event()


@dataclass
class Door:
    """The app with the fakes behind it."""

    upload_dir: Path
    settings: HttpSettings = field(default_factory=HttpSettings)
    studies: FakeStudies = field(default_factory=FakeStudies)
    feed: FakeFeed = field(default_factory=FakeFeed)
    metrics: Metrics = field(default_factory=Metrics)
    submitted: list[tuple[bytes | Path, MediaType, str]] = field(default_factory=list)
    verdict: Verdict | Exception = field(default_factory=make_verdict)
    checks: dict[str, Check] = field(default_factory=dict)
    n_changes: int = 0
    app: FastAPI = field(init=False)
    ports: ApiPorts = field(init=False)

    def __post_init__(self) -> None:
        self.ports = ApiPorts(
            studies=self.studies,
            events=self.feed,
            submit=self.submit,
            keep=self.keep,
            metrics=self.metrics,
            readiness=self.readiness,
            started_at=NOW,
            upload_dir=self.upload_dir,
            on_change=self.changed,
        )
        self.app = make_app(self.ports, self.settings)

    async def submit(
        self, body: bytes | Path, media_type: MediaType, peer: str
    ) -> tuple[str, Verdict]:
        """Note what came; files are read, since they go afterwards."""
        whole = body if isinstance(body, bytes) else await asyncio.to_thread(body.read_bytes)
        self.submitted.append((whole, media_type, peer))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return OBJECT_ID, self.verdict

    async def keep(self, body: bytes | Path, media_type: MediaType, peer: str) -> None:
        """Note what came by STOW-RS."""
        await self.submit(body, media_type, peer)

    async def readiness(self) -> Readiness:
        """Ready if every check is ok."""
        return Readiness(ready=all(check.ok for check in self.checks.values()), checks=self.checks)

    def changed(self) -> None:
        """Count changes told."""
        self.n_changes += 1

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return an in-process client that addresses loopback."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8080", headers=headers
        )


MakeDoor = Callable[..., Door]


@pytest.fixture
def make_door(tmp_path: Path) -> MakeDoor:
    """Return a function that makes a door with given HTTP settings."""

    def make(**settings: Any) -> Door:
        return Door(upload_dir=tmp_path, settings=HttpSettings(**settings))

    return make


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    """Make a door with default settings."""
    return make_door()


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the default door."""
    async with door.client() as one:
        yield one


@asynccontextmanager
async def serving(app: FastAPI, ports: ApiPorts) -> AsyncIterator[int]:
    """Serve an app with a real uvicorn on a free port; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, lifespan="off", timeout_graceful_shutdown=2, access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        yield int(listening.getsockname()[1])
    finally:
        ports.closing.set()
        server.should_exit = True
        await task
        listening.close()


@pytest.fixture
async def port(door: Door) -> AsyncIterator[int]:
    """Serve the default door for real."""
    async with serving(door.app, door.ports) as number:
        yield number


@pytest.fixture
def serve() -> Callable[[FastAPI, ApiPorts], AbstractAsyncContextManager[int]]:
    """Return what serves an app for the time of a block."""
    return serving
