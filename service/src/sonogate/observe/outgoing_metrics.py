"""Metrics of what goes out to archives: objects passed on, results made, rejections told."""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge

FORWARD_RESULTS = ("stored", "duplicate", "warning", "refused", "failed")
FORWARD_STATES = ("owed", "held", "refused")
RESULT_KINDS = ("report", "advice", "rejection")
RESULT_FAILURES = ("no_source", "refused", "scribe")


class ForwardMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answers = Counter(
            "sonogate_forwarded",
            "Answers of destinations to objects, by result: stored, duplicate (it was there), "
            "warning (stored, with a remark), refused (an alarm), failed (it is tried again).",
            ["destination", "result"],
            registry=registry,
        )
        self.pending = Gauge(
            "sonogate_forward_pending",
            "Objects that a destination has not got (owed, held, refused).",
            ["destination", "state"],
            registry=registry,
        )
        self.oldest_seconds = Gauge(
            "sonogate_forward_oldest_seconds",
            "Age of the oldest object owed to a destination; held ones are not owed yet.",
            ["destination"],
            registry=registry,
        )
        self.breaker_open = Gauge(
            "sonogate_forward_breaker_open",
            "1 while a destination is rested from because it failed.",
            ["destination"],
            registry=registry,
        )

    def show_destination(self, destination: str) -> None:
        """Show a destination's closed labels at 0."""
        for result in FORWARD_RESULTS:
            self.answers.labels(destination, result)
        for state in FORWARD_STATES:
            self.pending.labels(destination, state)
        self.oldest_seconds.labels(destination)
        self.breaker_open.labels(destination)


class ResultMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.made = Counter(
            "sonogate_results_made",
            f"DICOM results made, by kind ({', '.join(RESULT_KINDS)}).",
            ["kind"],
            registry=registry,
        )
        self.failed = Counter(
            "sonogate_results_failed",
            f"Results that could not be made, by reason ({', '.join(RESULT_FAILURES)}).",
            ["reason"],
            registry=registry,
        )
        self.rejection_calls = Counter(
            "sonogate_rejection_calls",
            "Calls that tell a dcm4chee archive of a rejection, by action (reject, revoke) and "
            "result (delivered, failed).",
            ["action", "result"],
            registry=registry,
        )
        for kind in RESULT_KINDS:
            self.made.labels(kind)
        for reason in RESULT_FAILURES:
            self.failed.labels(reason)
        for action, result in product(("reject", "revoke"), ("delivered", "failed")):
            self.rejection_calls.labels(action, result)
