"""Composition root: settings in, running gate out."""

import asyncio
import fcntl
import os
import shutil
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sonogate import __version__
from sonogate.act.delivery import Delivery
from sonogate.act.forward.book import ForwardBook
from sonogate.act.results.desk import ResultsDesk
from sonogate.api.dependencies import ApiPorts
from sonogate.api.server import serving_http
from sonogate.domain.identity import AETitle, new_object_id
from sonogate.domain.instance import MediaType, Provenance, Transport
from sonogate.domain.job import Greeting
from sonogate.domain.verdict import Verdict
from sonogate.errors import GateError
from sonogate.housekeeping import Housekeeping
from sonogate.judge.policy import Policy
from sonogate.networking import Networking
from sonogate.observe.health import Check, Readiness
from sonogate.observe.logs import get_logger
from sonogate.observe.metrics import Metrics
from sonogate.outgoing import make_forwarder, prepare_outgoing
from sonogate.pipeline import Pipeline
from sonogate.receive.intake import Intake
from sonogate.receive.keeping import Aftercare
from sonogate.receive.listener import Listener
from sonogate.receive.spool import Spool
from sonogate.receive.spool.folder import seal_all
from sonogate.receive.study_lanes import lanes_of
from sonogate.score.pool import WorkerPool
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.registrar import Registrar
from sonogate.track.events import EventFeed
from sonogate.track.studies import Studies
from sonogate.track.tracker import DeliveryTargets
from sonogate.tuning import make_ready_for_carts

log = get_logger()


@dataclass
class Gate:
    """A gate: built by `running_gate`, stopped with it."""

    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    dicom_port: int = 0
    http_port: int = 0
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.database = Database(settings.database_url)
        self.spool = Spool(settings.spool_dir, settings.spool, settings.listener)
        self.feed = EventFeed(self.database)
        self.forwarder = make_forwarder(settings, self.database, self.spool, self.metrics)
        self.registrar = Registrar(
            self.database,
            settings.spool.max_unjudged,
            self.forwarder.destinations,
            lanes_of(self.spool),
        )
        self.intake = Intake(self.spool, self.registrar, self.metrics)
        self.pool = WorkerPool(settings.scoring, self.metrics)
        self.delivery = Delivery(self.database, settings.webhooks, self.metrics)
        self.results = ResultsDesk(
            settings, self.database, self.spool.place_of, self.metrics, self.tell
        )
        self.targets = DeliveryTargets.from_settings(settings.webhooks, self.results.after_seconds)
        self.networking = Networking.of(
            settings,
            self.database,
            self.targets,
            self.metrics,
            self.tell,
            self.registrar.caught_up,
        )
        self.listener = Listener(
            settings.listener,
            self.spool,
            self.registrar,
            self.metrics,
            self.networking.steps,
            self.networking.commitments,
        )
        self.studies = Studies(
            self.database, self.targets, settings.track, self.registrar.caught_up
        )
        self.started_at = datetime.now(UTC)

    @property
    def url(self) -> str:
        """Where the page is."""
        scheme = "https" if self.settings.http.tls_certificate else "http"
        return f"{scheme}://{self.settings.http.host}:{self.http_port}/"

    @property
    def upload_dir(self) -> Path:
        """Where large HTTP bodies rest until they are kept."""
        return self.settings.data_dir / "uploads"

    def make_pipeline(self, greeting: Greeting) -> Pipeline:
        """Join the stages in their order."""
        return Pipeline(
            settings=self.settings,
            owner=f"{socket.gethostname()}:{os.getpid()}:{new_object_id()}",
            database=self.database,
            spool=self.spool,
            examiner=self.pool,
            policy=Policy.from_settings(
                greeting.high_from, greeting.medium_from, self.settings.judge
            ),
            targets=self.targets,
            metrics=self.metrics,
            on_recorded=self.tell,
        )

    def tell(self) -> None:
        """Something was recorded: wake those who pass it on."""
        self.feed.notify()
        self.delivery.notify()
        self.forwarder.notify()
        self.results.notify()

    def entered(self) -> None:
        """A new object is in the database: wake those who judge it and those who pass it on."""
        self.pipeline.wake()
        self.forwarder.wake()

    async def keep(self, body: bytes | Path, media_type: MediaType, peer: str) -> None:
        """Keep an object that came by STOW-RS; its verdict is not waited for."""
        await self.intake.take_file(body, media_type, self._over_http("STOW", peer))

    def _over_http(self, calling_ae: str, peer: str) -> Provenance:
        return Provenance(
            calling_ae=AETitle(calling_ae),
            called_ae=AETitle(self.settings.listener.ae_title),
            peer_address=peer,
            transport=Transport.REST,
            received_at=datetime.now(UTC),
        )

    async def submit(
        self, body: bytes | Path, media_type: MediaType, peer: str
    ) -> tuple[str, Verdict]:
        """Keep an object that came over HTTP and wait for its verdict."""
        kept = await self.intake.take_file(body, media_type, self._over_http("REST", peer))
        verdict = None
        if not kept.duplicate:
            verdict = await self.pipeline.verdict_of(
                kept.object_id, self.settings.http.verdict_timeout_seconds
            )
        return kept.object_id, verdict or await self.studies.verdict_of_object(kept.object_id)

    async def readiness(self) -> Readiness:
        """Say whether objects can be kept and judged now."""
        free = self.spool.free_bytes()
        enough = free > self.settings.spool.min_free_bytes
        greeting = self.pool.greeting
        locked = {"tls": self.listener.certificates.check()} if self.listener.is_locked else {}
        return Readiness.of(
            **locked,
            listener=Check(ok=self.dicom_port > 0, detail=f"port {self.dicom_port}"),
            disk=Check(ok=enough, detail=f"{free / 1e9:.1f} GB free"),
            model=Check(
                ok=greeting is not None,
                detail=f"{greeting.model.name} on {greeting.model.provider}" if greeting else "",
            ),
        )


@asynccontextmanager
async def running_gate(settings: Settings) -> AsyncIterator[Gate]:
    """Run a gate for the time of the block; everything it started has ended afterwards.

    Raises:
        GateError: it could not start; the message names the remedy.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    make_ready_for_carts()
    gate = Gate(settings)
    gate.metrics.build_info.labels(__version__).set(1)
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data_dir))
        await gate.database.open()
        stack.push_async_callback(gate.database.close)
        stack.push_async_callback(gate.pool.stop)
        greeting = await gate.pool.start()
        tell_shortcomings(greeting)
        gate.pipeline = gate.make_pipeline(greeting)
        gate.registrar.on_entered = Aftercare(gate.spool, gate.metrics, gate.entered)
        await recover(gate)
        await gate.spool.open()
        stack.push_async_callback(gate.spool.close)
        await stack.enter_async_context(background(gate.registrar.run()))
        await stack.enter_async_context(background(gate.pipeline.run()))
        await stack.enter_async_context(background(gate.delivery.run()))
        await stack.enter_async_context(background(gate.forwarder.run()))
        await stack.enter_async_context(background(gate.results.run()))
        await stack.enter_async_context(background(gate.networking.run()))
        await stack.enter_async_context(background(make_housekeeping(gate).run()))
        serving = serving_http(make_api_ports(gate), settings.http)
        gate.http_port = await stack.enter_async_context(serving)
        await start_listener(gate)
        stack.push_async_callback(gate.listener.stop)
        log.info(
            "gate started",
            port=gate.dicom_port,
            model=greeting.model.name,
            provider=greeting.model.provider,
        )
        yield gate


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold a data folder for one gate: a second would take the first one's files for left-overs.

    Raises:
        GateError: another gate has it.
    """
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GateError(
                f"another gate works in {data_dir}; stop it, or set another data_dir"
            ) from error
        yield


def tell_shortcomings(greeting: Greeting) -> None:
    """Log what the workers could not have: a better provider, a step of their confinement."""
    for reason in greeting.rungs_failed:
        log.info("provider not loaded", reason=reason)
    for reason in greeting.unconfined:
        log.warning("worker not fully confined", reason=reason)


async def recover(gate: Gate) -> None:
    """Take over what an earlier gate left: its claims, objects that it kept but did not enter.

    Then files of which no row speaks go: nobody waits for them, or their time is over.
    """
    owner = gate.pipeline.owner
    await gate.database.write(lambda tx: tx.objects.release_all_of_other_owners(owner))
    await asyncio.to_thread(gate.spool.prepare)
    await asyncio.to_thread(prepare_outgoing, gate.settings)
    newest = await gate.database.read(lambda tx: tx.objects.newest_received_at())
    unsettled = await asyncio.to_thread(gate.spool.unsettled, newest)
    await gate.registrar.recover([each for kept in unsettled.values() for each in kept])
    await asyncio.to_thread(seal_all, unsettled)
    live = await gate.database.read(lambda tx: tx.spooled_bytes.spool_names())
    await asyncio.to_thread(gate.spool.sweep, live)
    await gate.results.recover()
    await asyncio.to_thread(shutil.rmtree, gate.upload_dir, ignore_errors=True)
    gate.upload_dir.mkdir()


async def start_listener(gate: Gate) -> None:
    """Open the DICOM port.

    Raises:
        GateError: the port is taken, or the address is not ours.
    """
    listener = gate.settings.listener
    try:
        await gate.listener.start()
    except OSError as error:
        raise GateError(
            f"DICOM port {listener.port} on {listener.host}: {error.strerror}; stop what holds it "
            "or set listener.port (0 picks a free one)"
        ) from error
    gate.dicom_port = gate.listener.port


def make_housekeeping(gate: Gate) -> Housekeeping:
    """Give the slow loops what they look after."""
    return Housekeeping(
        settings=gate.settings,
        database=gate.database,
        spool=gate.spool,
        studies=gate.studies,
        targets=gate.targets,
        metrics=gate.metrics,
        on_change=gate.tell,
        look_at_certificates=gate.listener.certificates.look,
    )


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a loop beside the block and cancel it afterwards."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make_api_ports(gate: Gate) -> ApiPorts:
    """Give the HTTP door what it asks of the gate."""
    return ApiPorts(
        studies=gate.studies,
        events=gate.feed,
        submit=gate.submit,
        keep=gate.keep,
        results=gate.results.published,
        metrics=gate.metrics,
        readiness=gate.readiness,
        started_at=gate.started_at,
        upload_dir=gate.upload_dir,
        on_change=gate.tell,
        forwarding=ForwardBook(gate.database, gate.forwarder),
    )
