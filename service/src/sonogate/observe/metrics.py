"""Every metric of the gate; one owner process, one registry per running gate.

Labels come from closed sets. Senders are open in principle, so they are limited to the first
`LABEL_LIMIT` seen; exam types to those that are known. The rest count as "other".
"""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sonogate.observe.advice_metrics import AdviceMetrics
from sonogate.observe.audit_metrics import AuditMetrics
from sonogate.observe.labels import KnownNames, LabelLimit
from sonogate.observe.network_metrics import NetworkMetrics
from sonogate.observe.outgoing_metrics import ForwardMetrics, ResultMetrics
from sonogate.observe.process_metrics import ProcessMetrics

BANDS = ("high", "medium", "low")
PROVIDERS = ("tensorrt", "cuda", "cpu")
REFUSAL_RULES = (
    "protocol_version",
    "application_context",
    "called_ae",
    "beyond_loopback",
    "calling_ae",
    "address",
    "certificate",
    "associations",
    "sender_associations",
    "sender_rate",
)
TLS_REFUSALS = (
    "not_tls",
    "protocol_version",
    "no_common_cipher",
    "no_certificate",
    "certificate_expired",
    "certificate_not_trusted",
    "certificate_revoked",
    "revocation_unknown",
    "refused_by_peer",
    "timed_out",
    "lost",
    "other",
)
VERDICT_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The gate's metrics, as attributes; those of rooms of their own in parts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ae = LabelLimit()
        self.exam = KnownNames()
        self._receive()
        self._judge()
        self._run()
        self.forward = ForwardMetrics(self.registry)
        self.results = ResultMetrics(self.registry)
        self.network = NetworkMetrics(self.registry)
        self.audit = AuditMetrics(self.registry)
        self.advice = AdviceMetrics(self.registry)
        self.process = ProcessMetrics(self.registry)
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        """Show every closed label at 0: `increase` does not see a series' first value."""
        closed: dict[Counter | Gauge | Histogram, tuple[tuple[str, ...], ...]] = {
            self.associations_ended: (("released", "aborted", "rejected", "timed_out", "lost"),),
            self.associations_refused: (REFUSAL_RULES,),
            self.tls_refused: (TLS_REFUSALS,),
            self.http_tls_refused: (TLS_REFUSALS,),
            self.unscorable: (
                (
                    "undecodable",
                    "unreadable",
                    "missing_codec",
                    "empty_pixel_data",
                    "deadline",
                    "worker_crash",
                ),
            ),
            self.verdict_seconds: (("still", "cine"),),
            self.stage_seconds: (("queue", "read", "preprocess", "infer", "judge", "record"),),
            self.overrides: (BANDS, BANDS),
            self.reacquired: (("view", "similarity", "person"),),
            self.studies_closed: (("mpps", "rest", "quiet"), ("ready", "not_ready")),
            self.provider_rung: (PROVIDERS,),
            self.worker_restarts: (("crash", "deadline"),),
            self.deliveries: (("delivered", "failed"),),
        }
        for metric, labels in closed.items():
            for values in product(*labels):
                metric.labels(*values)

    def _receive(self) -> None:
        registry = self.registry
        self.received = Counter(
            "sonogate_received",
            "Objects received, by sender and result (kept, duplicate, conflict, refused).",
            ["calling_ae", "result"],
            registry=registry,
        )
        self.received_bytes = Counter(
            "sonogate_received_bytes",
            "Bytes of objects received, duplicates included, by sender.",
            ["calling_ae"],
            registry=registry,
        )
        self.associations = Gauge(
            "sonogate_associations", "Associations open now.", registry=registry
        )
        self.associations_ended = Counter(
            "sonogate_associations_ended",
            "Associations ended, by how (released, aborted, rejected, timed_out, lost).",
            ["result"],
            registry=registry,
        )
        self.associations_refused = Counter(
            "sonogate_associations_refused",
            f"Associations rejected, by the rule they broke ({', '.join(REFUSAL_RULES)}).",
            ["rule"],
            registry=registry,
        )
        self.tls_refused = Counter(
            "sonogate_tls_refused",
            "TLS handshakes at the DICOM door that came to nothing, by reason "
            f"({', '.join(TLS_REFUSALS)}).",
            ["reason"],
            registry=registry,
        )
        self.http_tls_refused = Counter(
            "sonogate_http_tls_refused",
            "The same at the HTTP door.",
            ["reason"],
            registry=registry,
        )
        self.door_restarts = Counter(
            "sonogate_door_restarts",
            "Door processes that ended and were replaced (listener.processes).",
            registry=registry,
        )
        self.door_silences = Counter(
            "sonogate_door_silences",
            "Those of them that the gate killed, since they hung (listener.door_silent_seconds).",
            registry=registry,
        )
        self.keep_seconds = Histogram(
            "sonogate_keep_seconds",
            "Last byte of an object to durable.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )

    def _judge(self) -> None:
        registry = self.registry
        self.verdicts = Counter(
            "sonogate_verdicts",
            "Verdicts, by sender, exam type, status, band and model.",
            ["calling_ae", "exam_type", "status", "band", "model"],
            registry=registry,
        )
        self.findings = Counter(
            "sonogate_findings",
            "Findings of graded verdicts, by sender, exam type, band and finding.",
            ["calling_ae", "exam_type", "band", "finding"],
            registry=registry,
        )
        self.unscorable = Counter(
            "sonogate_unscorable",
            "Objects kept but not scored, by reason code.",
            ["reason"],
            registry=registry,
        )
        self.verdict_seconds = Histogram(
            "sonogate_verdict_seconds",
            "Last byte received to verdict published, by kind (still, cine).",
            ["kind"],
            buckets=VERDICT_BUCKETS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "sonogate_stage_seconds",
            "Time in one stage (queue, read, preprocess, infer, judge, record).",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.overrides = Counter(
            "sonogate_overrides",
            "Verdicts overridden by a person.",
            ["from_band", "to_band"],
            registry=registry,
        )
        self.reacquired = Counter(
            "sonogate_reacquired",
            "Earlier lows cleared by a re-acquisition, by how (view, similarity, person).",
            ["how"],
            registry=registry,
        )
        self.studies_closed = Counter(
            "sonogate_studies_closed",
            "Studies closed, by signal (mpps, rest, quiet) and completeness (ready, not_ready).",
            ["closed_by", "state"],
            registry=registry,
        )
        self.unscored_at_close = Counter(
            "sonogate_unscored_at_close",
            "Objects without a verdict when their study closed.",
            registry=registry,
        )

    def _run(self) -> None:
        registry = self.registry
        self.queue_objects = Gauge(
            "sonogate_queue_objects", "Objects kept and not yet judged.", registry=registry
        )
        self.queue_oldest_seconds = Gauge(
            "sonogate_queue_oldest_seconds",
            "Age of the oldest object without a verdict.",
            registry=registry,
        )
        self.spool_free_bytes = Gauge(
            "sonogate_spool_free_bytes", "Free room on the spool's disk.", registry=registry
        )
        self.spool_used_bytes = Gauge(
            "sonogate_spool_used_bytes", "Bytes of pixel objects kept.", registry=registry
        )
        self.provider_rung = Gauge(
            "sonogate_provider_rung",
            "1 for the provider that really loaded (tensorrt, cuda, cpu).",
            ["provider"],
            registry=registry,
        )
        self.worker_restarts = Counter(
            "sonogate_worker_restarts",
            "Scoring workers replaced, by reason (crash, deadline).",
            ["reason"],
            registry=registry,
        )
        self.outbox_pending = Gauge(
            "sonogate_outbox_pending", "Deliveries not yet made.", registry=registry
        )
        self.outbox_oldest_seconds = Gauge(
            "sonogate_outbox_oldest_seconds",
            "Age of the oldest delivery not yet made.",
            registry=registry,
        )
        self.deliveries = Counter(
            "sonogate_deliveries",
            "Delivery attempts, by result (delivered, failed).",
            ["result"],
            registry=registry,
        )
        self.sender_delay_seconds = Gauge(
            "sonogate_sender_delay_seconds",
            "Median of received minus acquired, by sender.",
            ["calling_ae"],
            registry=registry,
        )
        self.clock_skewed = Gauge(
            "sonogate_sender_clock_skewed",
            "1 if a sender's acquisition times lie in our future or a constant time behind.",
            ["calling_ae"],
            registry=registry,
        )
        self.http_requests = Counter(
            "sonogate_http_requests",
            "HTTP requests, by route template, method and status class.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "sonogate_http_seconds",
            "Time to answer an HTTP request, by route template; event streams left out.",
            ["route"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.build_info = Gauge("sonogate_build_info", "Always 1.", ["version"], registry=registry)
