"""Every knob of the gate: typed, bounded, its unit in its name, its reason at the default."""

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, model_validator

from sonogate.messages import LANGUAGE, Language
from sonogate.settings.advice import AdviceSettings
from sonogate.settings.audit import AuditSettings
from sonogate.settings.forward import ForwardSettings
from sonogate.settings.kinds import (
    GIB,
    KIB,
    LOOPBACK_HOSTS,
    MIB,
    Bytes,
    HomePath,
    Port,
    Quality,
    Seconds,
    Section,
)
from sonogate.settings.listener import ListenerSettings
from sonogate.settings.network import CommitmentSettings, MppsSettings
from sonogate.settings.results import ResultsSettings


class HttpSettings(Section):
    """The HTTP door: REST, events, metrics and the page."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback TLS and a token are required."""
    port: Port = 8080
    """HTTP port; 0 picks a free one."""
    token: SecretStr | None = Field(
        default=None, examples=["write 24 or more random characters here"]
    )
    """Bearer token; at least 24 characters."""
    tls_certificate: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/chain.pem"])
    """PEM file of the server's certificate chain."""
    tls_key: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/key.pem"])
    """PEM file of its private key, without passphrase."""
    tls_client_ca: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/people-ca.pem"]
    )
    """PEM file of the authorities that vouch for clients; with it every browser and program, health
    checks and Prometheus too, needs a client certificate, beside the token."""
    tls_client_crl: HomePath | None = Field(
        default=None, examples=["/etc/sonogate/tls/people-crl.pem"]
    )
    """PEM file of those authorities' revocation lists. A client on one is refused; so is every
    client whose authority has no list here, or one that is out of date. Read anew as it changes."""
    allowed_hosts: tuple[str, ...] = ()
    """Further Host header names by which the gate may be addressed, without port."""
    max_body_bytes: Bytes = 512 * MIB
    """Largest body of POST /v1/verdicts."""
    verdict_timeout_seconds: Seconds = 30.0
    """How long POST /v1/verdicts waits before it answers with the pending verdict."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the door."""
        return self.host in LOOPBACK_HOSTS

    @model_validator(mode="after")
    def _beyond_loopback_needs_a_lock(self) -> "HttpSettings":
        if self.token and len(self.token.get_secret_value()) < 24:
            raise ValueError(
                "token is shorter than 24 characters; make one with: openssl rand -hex 32"
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together; set both or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError(
                "tls_client_ca asks clients for certificates over TLS: set tls_certificate and "
                "tls_key as well"
            )
        if self.tls_client_crl and not self.tls_client_ca:
            raise ValueError("tls_client_crl is about clients' certificates: set tls_client_ca")
        if not self.is_loopback and not (self.tls_certificate and self.token):
            raise ValueError(
                f"host {self.host} is reachable from other machines: "
                'set tls_certificate, tls_key and token, or keep host = "127.0.0.1"'
            )
        return self


class SpoolSettings(Section):
    """Where bytes are kept."""

    min_free_bytes: Bytes = 2 * GIB
    """Below this much free disk the listener answers 0xA700, out of resources."""
    max_unjudged: Annotated[int, Field(gt=0)] = 20_000
    """Objects without a verdict above which we answer 0xA700; a day of backlog for one room."""
    retention_days: Annotated[float, Field(ge=0)] = 7.0
    """Pixel bytes go this long after the verdict was delivered; the verdict stays."""
    segment_bytes: Annotated[int, Field(ge=64 * KIB, le=4 * GIB)] = 64 * MIB
    """Stills are appended to segments, and a new one is begun at this size; the room of a segment
    returns as its objects expire."""
    janitor_seconds: Seconds = 60.0
    """How often retention and orphans are looked after."""


class StoreSettings(Section):
    """The database."""

    url: str | None = Field(
        default=None, examples=["postgresql+psycopg://sonogate:password@db/sonogate"]
    )
    """SQLAlchemy URL; default: an SQLite file in data_dir."""
    event_days: Annotated[float, Field(ge=1)] = 30.0
    """Events go after this time, but never while a receiver is owed one, nor before the pixel bytes
    that wait for it; verdicts and audit stay."""


class ScoringSettings(Section):
    """Reading and scoring, in worker processes."""

    model: str = "joined/1.1.0"
    """Zoo entry: <name>/<version>."""
    zoo: HomePath | None = Field(default=None, examples=["/srv/sonogate/zoo"])
    """Folder of models; default: the zoo that ships."""
    providers: tuple[Literal["tensorrt", "cuda", "cpu"], ...] = ("tensorrt", "cuda", "cpu")
    """Rungs of the provider ladder, in order of preference."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Worker processes; two, so that a cine does not hold up a still."""
    threads_per_worker: Annotated[int, Field(ge=1, le=64)] = 1
    """Inference threads of one worker."""
    max_frames: Annotated[int, Field(ge=1, le=256)] = 8
    """Frames of a cine in the first answer, spread over the loop."""
    deadline_seconds: Seconds = 20.0
    """Reading and scoring one object may take so long; then the worker is replaced."""
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often an object is tried whose worker was killed from outside: a worker may die twice by
    bad luck. One that crashes its worker by itself is not tried again."""
    memory_bytes: Bytes = 3 * GIB
    """Address space of one worker (RLIMIT_AS)."""
    lease_seconds: Seconds = 60.0
    """A claim not finished after this time may be taken by another worker."""


class Threshold(Section):
    """Bands for one exam type or view; the most specific entry wins."""

    exam_type: str | None = Field(default=None, examples=["ABDOMEN"])
    """Exam type this entry is for (upper case, as DICOM sends it); none: every."""
    view: str | None = Field(default=None, examples=["SCT:18639004"])
    """View this entry is for; none: every."""
    high_from: Quality = Field(examples=[80.0])
    """Lowest quality that is high."""
    medium_from: Quality = Field(examples=[50.0])
    """Lowest quality that is medium."""

    @model_validator(mode="after")
    def _ordered(self) -> "Threshold":
        if not 0 < self.medium_from < self.high_from <= 100:
            raise ValueError(
                "medium_from must lie between 0 and high_from, and high_from may not pass 100"
            )
        return self


class JudgeSettings(Section):
    """From quality to band."""

    thresholds: tuple[Threshold, ...] = ()
    """Site thresholds; without them the model card's own hold."""
    finding_from: Annotated[float, Field(gt=0, le=1)] = 0.35
    """A fault this severe is named."""


class TrackSettings(Section):
    """A study's life."""

    settle_seconds: Seconds = 60.0
    """Quiet time after which a study is settled; the longest usual pause in an exam."""
    close_seconds: Seconds = 900.0
    """Quiet time after which a study is closed."""
    committed_close_seconds: Seconds = 300.0
    """The same once the cart asked for storage commitment after its last image; many carts ask
    after each image, so it only shortens the wait. Not below close_seconds: no difference."""
    late_sender_seconds: Seconds = 120.0
    """Median of received minus acquired above which a sender is told to send per image."""


class WebhookSettings(Section):
    """One receiver of verdicts and study changes."""

    url: str = Field(examples=["https://ris.example/sonogate"], pattern=r"^https?://[^/\s]+")
    """http or https address; each event is POSTed there."""
    secret: SecretStr | None = Field(default=None, examples=["write a long random text here"])
    """Key of the HMAC-SHA256 signature header."""
    events: tuple[Literal["verdict", "study", "override"], ...] = ("verdict", "study", "override")
    """Kinds of events to send."""
    timeout_seconds: Seconds = 10.0
    """One attempt may take so long."""


class LogSettings(Section):
    """Logs; they never hold patient data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level written."""
    form: Literal["json", "console"] = "json"
    """One JSON object a line, or text for people."""


class Settings(Section):
    """The whole gate."""

    data_dir: HomePath = Field(
        default_factory=lambda: user_data_path("sonogate"),
        json_schema_extra={"shown_default": "~/.local/share/sonogate"},
    )
    """Folder of the spool and the database; on a disk, never on tmpfs."""
    language: Language = LANGUAGE
    """Language of the sentences in verdicts: what is stored and what webhooks carry. The page and
    REST clients may ask for another."""
    listener: ListenerSettings = ListenerSettings()
    http: HttpSettings = HttpSettings()
    spool: SpoolSettings = SpoolSettings()
    store: StoreSettings = StoreSettings()
    scoring: ScoringSettings = ScoringSettings()
    judge: JudgeSettings = JudgeSettings()
    track: TrackSettings = TrackSettings()
    mpps: MppsSettings = MppsSettings()
    commitment: CommitmentSettings = CommitmentSettings()
    webhooks: tuple[WebhookSettings, ...] = ()
    """Receivers of verdicts and study changes."""
    forward: ForwardSettings = ForwardSettings()
    results: ResultsSettings = ResultsSettings()
    advice: AdviceSettings = AdviceSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()

    @property
    def spool_dir(self) -> Path:
        """Folder of kept objects."""
        return self.data_dir / "spool"

    @property
    def results_dir(self) -> Path:
        """Folder of DICOM objects of our own making."""
        return self.data_dir / "results"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.store.url or f"sqlite:///{self.data_dir / 'sonogate.db'}"
