"""Every query of the dashboard and of the rules, answered by a real Prometheus that scrapes us.

The registry starts at zero, is scraped, is filled with known numbers, and is scraped again; then
each query is asked at the very time of the last scrape, where `increase` is exact.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from prometheus_client import start_http_server

from sonogate.observe.metrics import Metrics
from tests.integration.prometheus_server import (
    PROMETHEUS,
    QUERIES,
    Prometheus,
    as_grafana_asks,
    running_prometheus,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    """The gate's registry, with the open labels of this test at zero."""
    metrics = Metrics()
    for sender, exam in (("ROOM1", "OB"), ("ROOM2", "ABDOMEN")):
        for band in ("high", "medium", "low"):
            metrics.verdicts.labels(sender, exam, "graded", band, "m")
        metrics.verdicts.labels(sender, exam, "not_applicable", "none", "none")
        for result in ("kept", "duplicate", "conflict", "refused"):
            metrics.received.labels(sender, result)
        metrics.received_bytes.labels(sender)
        for finding in ("blurred", "too_dark"):
            metrics.findings.labels(sender, exam, "low", finding)
    metrics.http_requests.labels("/v1/studies", "GET", "2xx")
    metrics.build_info.labels("0").set(1)
    return metrics


@pytest.fixture(scope="module")
def metrics_url(metrics: Metrics) -> Iterator[str]:
    """A real endpoint that serves the registry."""
    server, thread = start_http_server(0, "127.0.0.1", registry=metrics.registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Scraped:
    """A Prometheus that has seen the zeros and then the numbers."""

    prometheus: Prometheus
    at: float  #: time of a scrape after the numbers

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """Evaluate as Grafana would, at the last scrape."""
        return self.prometheus.ask(as_grafana_asks(expr), self.at)

    def values(self, expr: str) -> dict[tuple[str, ...], float]:
        """Evaluate and key each value by its label values."""
        return self.prometheus.values(as_grafana_asks(expr), self.at)


@pytest.fixture(scope="module")
def scraped(
    metrics: Metrics,
    metrics_url: str,
    need_tool: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scraped]:
    """Zeros, then the numbers of `fill`."""
    folder = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(need_tool("prometheus"), folder, metrics_url) as prometheus:
        prometheus.wait_for("sonogate_queue_objects", 0)
        fill(metrics)
        yield Scraped(prometheus, prometheus.wait_for("sonogate_queue_objects", 7))


def fill(metrics: Metrics) -> None:
    """Count a day's work; the number waited for comes last."""
    for sender, exam, band, count in (
        ("ROOM1", "OB", "high", 600),
        ("ROOM1", "OB", "medium", 200),
        ("ROOM1", "OB", "low", 200),
        ("ROOM2", "ABDOMEN", "high", 450),
        ("ROOM2", "ABDOMEN", "medium", 50),
    ):
        metrics.verdicts.labels(sender, exam, "graded", band, "m").inc(count)
        metrics.received.labels(sender, "kept").inc(count)
        metrics.received_bytes.labels(sender).inc(count * 1000)
    metrics.verdicts.labels("ROOM2", "ABDOMEN", "not_applicable", "none", "none").inc(3)
    metrics.received.labels("ROOM1", "refused").inc(2)
    metrics.findings.labels("ROOM1", "OB", "low", "blurred").inc(150)
    metrics.findings.labels("ROOM1", "OB", "low", "too_dark").inc(80)
    for kind in ("still", "cine"):
        for seconds, count in ((0.15, 10), (0.3, 9), (0.6, 1)):
            for _ in range(count):
                metrics.verdict_seconds.labels(kind).observe(seconds)
    for stage in ("queue", "read", "preprocess", "infer", "judge", "record"):
        metrics.stage_seconds.labels(stage).observe(0.03)
    metrics.keep_seconds.observe(0.004)
    metrics.unscorable.labels("undecodable").inc(4)
    metrics.overrides.labels("low", "high").inc(5)
    metrics.reacquired.labels("view").inc(6)
    metrics.studies_closed.labels("rest", "ready").inc(9)
    metrics.unscored_at_close.inc(2)
    metrics.worker_restarts.labels("crash").inc()
    metrics.deliveries.labels("delivered").inc(60)
    metrics.associations.set(4)
    metrics.associations_ended.labels("released").inc(8)
    metrics.http_requests.labels("/v1/studies", "GET", "2xx").inc(30)
    metrics.provider_rung.labels("cpu").set(1)
    metrics.queue_oldest_seconds.set(1.5)
    metrics.spool_free_bytes.set(50 * 1024**3)
    metrics.spool_used_bytes.set(1024**3)
    metrics.outbox_pending.set(11)
    metrics.outbox_oldest_seconds.set(21)
    metrics.sender_delay_seconds.labels("ROOM1").set(3.5)
    metrics.clock_skewed.labels("ROOM2").set(1)
    metrics.queue_objects.set(7)


RULES = [
    rule
    for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}


def in_full(expr: str) -> str:
    """Put recorded rules in their places, and look at the present where they look a day back."""
    while found := re.search(r"sonogate:[\w:]+", expr):
        expr = expr.replace(found[0], f"({RECORDED[found[0]]})")
    return expr.replace(" offset 1d", "")


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_the_dashboard_is_answered_with_data(name: str, scraped: Scraped) -> None:
    """No panel is empty once the gate has worked; no quantile is NaN."""
    answer = scraped.ask(QUERIES[name])

    assert answer
    assert not [series for series in answer if series["value"][1] == "NaN"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_is_understood_and_sees_its_series(
    rule: dict[str, Any], scraped: Scraped
) -> None:
    """The whole expression is evaluated; and each series it looks at is really there."""
    expr = in_full(rule["expr"])
    answer = scraped.ask(expr)
    selectors = re.findall(r"\b((?:sonogate_\w+|up)(?:\{[^}]*\})?)", expr)

    assert selectors
    assert all(scraped.ask(selector) for selector in selectors)
    assert answer or "alert" in rule


def test_prometheus_loads_every_rule(scraped: Scraped) -> None:
    """Loaded by the server, not only accepted by promtool; none has failed."""
    groups = scraped.prometheus.get("rules")["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]

    assert len(RULES) == len(loaded)
    assert not [rule for rule in loaded if rule["health"] == "err"]


EXPECTED: dict[str, dict[tuple[str, ...], float]] = {
    "Low share A": {(): 200 / 1500},
    "Low share by sender A": {("ROOM1",): 0.2, ("ROOM2",): 0.0},
    "Low share by exam type A": {("OB",): 0.2, ("ABDOMEN",): 0.0},
    "Why images were low A": {("blurred",): 150, ("too_dark",): 80},
    "Verdicts A": {  # band, status
        ("high", "graded"): 1050,
        ("medium", "graded"): 250,
        ("low", "graded"): 200,
        ("none", "not_applicable"): 3,
    },
    "Verdicts by band A": {("high",): 17.5, ("medium",): 250 / 60, ("low",): 200 / 60},
    "Still, p95 A": {(): 0.35},
    "Last byte to verdict A": {(): 0.2},
    "Last byte to verdict B": {(): 0.35},
    "Last byte to verdict C": {(): 0.7},
    "Overridden by a person A": {("low", "high"): 5},
    "Studies closed B": {(): 2},
    "Oldest image without a verdict A": {(): 1.5},
    "Provider A": {("cpu",): 1},
    "Provider rung A": {("cpu",): 1, ("cuda",): 0, ("tensorrt",): 0},
    "Disk free A": {(): 50 * 1024**3},
    "Outbox age A": {(): 21},
    "Outbox A": {(): 11},
    "Associations A": {(): 4},
    "Queue A": {(): 7},
    "Received after acquired, median A": {("ROOM1",): 3.5},
    "Received after acquired, median B": {("ROOM2",): 1},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_main_numbers_are_what_was_counted(name: str, scraped: Scraped) -> None:
    """The panel shows the very number that the gate counted."""
    assert pytest.approx(EXPECTED[name]) == scraped.values(QUERIES[name])
