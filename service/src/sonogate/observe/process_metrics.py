"""Metrics of the gate's own process: what may not grow with time or with faults."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ProcessMetrics:
    """A part of `Metrics`, as attributes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.tasks = Gauge(
            "sonogate_tasks",
            "Tasks of the event loop; flat while nothing comes in.",
            registry=registry,
        )
        self.clock_steps = Counter(
            "sonogate_clock_steps",
            "Times that the machine's clock was set under the gate; its timers moved along.",
            registry=registry,
        )
