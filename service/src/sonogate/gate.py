"""The parts of a gate, put together by its settings; `app` starts and stops them."""

import os
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sonogate.act.advice.desk import make_adviser
from sonogate.act.audit.trail import Trail
from sonogate.act.delivery import Delivery
from sonogate.act.forward.book import ForwardBook
from sonogate.act.results.desk import ResultsDesk
from sonogate.api.dependencies import ApiPorts
from sonogate.calibrations import CalibrationsInForce
from sonogate.domain.identity import AETitle, new_object_id
from sonogate.domain.instance import MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Greeting
from sonogate.domain.verdict import Verdict
from sonogate.housekeeping import Housekeeping
from sonogate.judge.policy import Policy
from sonogate.networking import Networking
from sonogate.observe.health import Check, Readiness
from sonogate.observe.metrics import Metrics
from sonogate.outgoing import make_audit_sender, make_forwarder
from sonogate.pipeline import Pipeline
from sonogate.receive.certificates import Certificates
from sonogate.receive.doors.desk import House
from sonogate.receive.doors.keeper import Doors
from sonogate.receive.intake import Intake
from sonogate.receive.listener import Listener
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.receive.study_lanes import lanes_of
from sonogate.receive.tls import adviser_context
from sonogate.score.pool import WorkerPool
from sonogate.settings import Settings
from sonogate.store.database import Database
from sonogate.store.registrar import Registrar
from sonogate.track.events import EventFeed
from sonogate.track.studies import Studies
from sonogate.track.tracker import DeliveryTargets


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
        thresholds = settings.judge.thresholds
        self.metrics.exam.learn(each.exam_type for each in thresholds if each.exam_type)
        self.database = Database(settings.database_url)
        self.trail = Trail(self.database, settings)
        self.audit_sender = make_audit_sender(settings, self.database, self.metrics)
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
        self.calibrations = CalibrationsInForce(self.database, settings.scoring)
        self.pool = WorkerPool(settings.scoring, self.metrics)
        self.delivery = Delivery(self.database, settings.webhooks, self.metrics)
        self.results = ResultsDesk(
            settings, self.database, self.spool.place_of, self.metrics, self.tell
        )
        self.adviser = make_adviser(
            settings.advice, self.database, self.metrics, adviser_context, self.tell
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
        self.listener = make_listener(self)
        self.http_certificates = Certificates(settings.http, "http", "clients")
        self.studies = Studies(
            self.database,
            self.targets,
            settings.track,
            self.registrar.caught_up,
            self.results.rejected,
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
                greeting.high_from,
                greeting.medium_from,
                self.settings.judge,
                self.settings.language,
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
        if self.adviser is not None:
            self.adviser.notify()

    def clock_stepped(self, step: timedelta) -> None:
        """The machine's clock was set, and what waits in the database moved along."""
        self.forwarder.clock_stepped(step)
        if self.adviser is not None:
            self.adviser.clock_stepped(step)
        self.tell()

    def settled(self, instance: ReceivedInstance) -> None:
        """An object is in the database: tell the door that keeps it."""
        if isinstance(self.listener, Doors):
            self.listener.settled(instance)

    async def live_names(self) -> set[str]:
        """Return the spool names of all objects whose bytes are still wanted."""
        return await self.database.read(lambda tx: tx.spooled_bytes.spool_names())

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

    async def look_at_certificates(self) -> None:
        """Take both doors' certificates anew where their files changed."""
        await self.listener.certificates.look()
        await self.http_certificates.look()

    async def look_at_calibrations(self) -> None:
        """Judge by what was applied, and no more by what was taken back."""
        await self.calibrations.look(self.pipeline.policy, self.pipeline.judge_by)

    def reload_certificates(self) -> None:
        """Take both doors' certificates anew at once."""
        self.listener.reload()
        self.http_certificates.reload()

    async def readiness(self) -> Readiness:
        """Say whether objects can be kept and judged now."""
        free = self.spool.free_bytes()
        enough = free > self.settings.spool.min_free_bytes
        greeting = self.pool.greeting
        doors = {"tls": self.listener.certificates, "http_tls": self.http_certificates}
        locked = {name: door.check() for name, door in doors.items() if door.context is not None}
        return Readiness.of(
            **locked,
            listener=self.listener.check(),
            calibration=self.calibrations.check(),
            disk=Check(ok=enough, detail=f"{free / 1e9:.1f} GB free"),
            model=Check(
                ok=greeting is not None,
                detail=f"{greeting.model.name} on {greeting.model.provider}" if greeting else "",
            ),
        )


def make_listener(gate: Gate) -> Listener | Doors:
    """Make who answers the DICOM port: this process, or several of their own.

    Raises:
        SettingFileError: A certificate is not what it must be.
    """
    settings, networking = gate.settings, gate.networking
    porter = OwnPorter(settings.listener, gate.metrics, gate.trail.refused)
    if settings.listener.processes == 1:
        return Listener(
            settings.listener,
            gate.spool,
            gate.registrar,
            porter,
            networking.steps,
            networking.commitments,
        )
    house = House(
        registrar=gate.registrar,
        porter=porter,
        steps=networking.steps,
        commitments=networking.commitments,
    )
    return Doors(settings, gate.spool, house, gate.metrics, gate.live_names)


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
        look_at_certificates=gate.look_at_certificates,
        look_at_calibrations=gate.look_at_calibrations,
        on_clock_step=gate.clock_stepped,
    )


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
        note=gate.trail.note,
        language=gate.settings.language,
        forwarding=ForwardBook(gate.database, gate.forwarder),
        adviser=gate.adviser,
    )
