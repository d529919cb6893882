"""Metrics of the audit trail on its way to repositories."""

from prometheus_client import CollectorRegistry, Counter, Gauge

SENDING_RESULTS = ("sent", "failed")


class AuditMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sent = Counter(
            "sonogate_audit_sent",
            "Audit messages that a repository took (sent), and attempts that came to nothing "
            "(failed; tried again), by repository.",
            ["repository", "result"],
            registry=registry,
        )
        self.pending = Gauge(
            "sonogate_audit_pending",
            "Audit messages that a repository has not got, or not surely.",
            ["repository"],
            registry=registry,
        )
        self.oldest_seconds = Gauge(
            "sonogate_audit_oldest_seconds",
            "Age of the oldest audit message that a repository has not got.",
            ["repository"],
            registry=registry,
        )

    def show_repository(self, repository: str) -> None:
        """Show a repository's labels at 0."""
        for result in SENDING_RESULTS:
            self.sent.labels(repository, result)
        self.pending.labels(repository)
        self.oldest_seconds.labels(repository)
