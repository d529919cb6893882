"""Metrics of what carts say beside their objects: exam steps, and requests for commitment."""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge

STEP_RESULTS = (
    "taken",
    "repeated",
    "duplicate",
    "unknown",
    "final",
    "incomplete",
    "crowded",
)
STEP_FORWARD_RESULTS = ("delivered", "failed", "refused")
COMMITMENT_RESULTS = ("taken", "repeated", "conflict", "crowded")
ITEM_RESULTS = ("committed", "unknown", "conflict", "failed")
REPORT_RESULTS = ("same_association", "new_association", "failed", "given_up")


class NetworkMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.steps = Counter(
            "sonogate_mpps_messages",
            f"MPPS messages (n_create, n_set), by result ({', '.join(STEP_RESULTS)}).",
            ["message", "result"],
            registry=registry,
        )
        self.step_forwards = Counter(
            "sonogate_mpps_forwards",
            "Attempts to pass an MPPS message on, by server and result "
            f"({', '.join(STEP_FORWARD_RESULTS)}).",
            ["server", "result"],
            registry=registry,
        )
        self.step_forwards_pending = Gauge(
            "sonogate_mpps_forwards_pending",
            "MPPS messages that a server has not got yet.",
            ["server"],
            registry=registry,
        )
        self.step_forwards_oldest_seconds = Gauge(
            "sonogate_mpps_forwards_oldest_seconds",
            "Age of the oldest MPPS message that a server has not got yet.",
            ["server"],
            registry=registry,
        )
        self.commitments = Counter(
            "sonogate_commitments",
            f"Requests for storage commitment, by result ({', '.join(COMMITMENT_RESULTS)}).",
            ["result"],
            registry=registry,
        )
        self.commitment_items = Counter(
            "sonogate_commitment_items",
            f"Objects asked for, by what was decided ({', '.join(ITEM_RESULTS)}).",
            ["result"],
            registry=registry,
        )
        self.commitment_reports = Counter(
            "sonogate_commitment_reports",
            "Reports on storage commitment: by which way they were delivered, failed (tried "
            f"again), given up ({', '.join(REPORT_RESULTS)}).",
            ["result"],
            registry=registry,
        )
        self.commitments_open = Gauge(
            "sonogate_commitments_open", "Requests not answered yet.", registry=registry
        )
        self.commitments_oldest_seconds = Gauge(
            "sonogate_commitments_oldest_seconds",
            "Age of the oldest request not answered yet.",
            registry=registry,
        )
        self._start_at_zero()

    def show_server(self, server: str) -> None:
        """Show an MPPS server's closed labels at 0."""
        for result in STEP_FORWARD_RESULTS:
            self.step_forwards.labels(server, result)
        self.step_forwards_pending.labels(server)
        self.step_forwards_oldest_seconds.labels(server)

    def _start_at_zero(self) -> None:
        for message, result in product(("n_create", "n_set"), STEP_RESULTS):
            self.steps.labels(message, result)
        for metric, results in (
            (self.commitments, COMMITMENT_RESULTS),
            (self.commitment_items, ITEM_RESULTS),
            (self.commitment_reports, REPORT_RESULTS),
        ):
            for result in results:
                metric.labels(result)
