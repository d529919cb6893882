"""Metrics of the adviser."""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sonogate.domain.advice import AdviceKind, AdviceReason

GIVEN = "given"
OUTCOMES = (GIVEN, *(each.value for each in AdviceReason if each is not AdviceReason.PENDING))
KINDS = tuple(each.value for each in AdviceKind)
SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)


class AdviceMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "sonogate_advice_calls",
            "Questions to the adviser, by kind (remark, report, question) and outcome (given, or "
            "why not: a reason of GET /v1/instances/{uid}/advice).",
            ["kind", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "sonogate_advice_seconds",
            "Time of one question to the adviser, whatever came of it.",
            buckets=SECONDS,
            registry=registry,
        )
        self.pending = Gauge(
            "sonogate_advice_pending",
            "Images the adviser is being asked about, or will be again.",
            registry=registry,
        )
        self.breaker_open = Gauge(
            "sonogate_advice_breaker_open",
            "1 while the adviser is rested from because it failed.",
            registry=registry,
        )
        for kind, outcome in product(KINDS, OUTCOMES):
            self.calls.labels(kind, outcome)
