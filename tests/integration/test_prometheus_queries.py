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
from tests.integration.known_archives import fill_archives
from tests.integration.prometheus_server import (
    PROMETHEUS,
    QUERIES,
    RANGE_SECONDS,
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
    metrics.forward.show_destination("pacs")
    metrics.network.show_server("ris")
    metrics.audit.show_repository("arr")
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


STAGES = {"queue": 0.03, "read": 0.04, "preprocess": 0.002, "infer": 0.3, "judge": 0.0005,
          "record": 0.007}  # fmt: skip
"""What each stage took; five different buckets."""


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
    for kind, slower in (("still", 1), ("cine", 10)):
        for seconds, count in ((0.15, 10), (0.3, 9), (0.6, 1)):
            for _ in range(count):
                metrics.verdict_seconds.labels(kind).observe(seconds * slower)
    for stage, seconds in STAGES.items():
        metrics.stage_seconds.labels(stage).observe(seconds)
    for seconds, count in ((0.004, 10), (0.007, 9), (0.02, 1)):
        for _ in range(count):
            metrics.keep_seconds.observe(seconds)
    metrics.unscorable.labels("undecodable").inc(4)
    metrics.unscorable.labels("deadline").inc(1)
    metrics.overrides.labels("low", "high").inc(5)
    metrics.reacquired.labels("view").inc(6)
    metrics.reacquired.labels("person").inc(3)
    metrics.studies_closed.labels("rest", "ready").inc(9)
    metrics.studies_closed.labels("quiet", "not_ready").inc(4)
    metrics.unscored_at_close.inc(2)
    metrics.worker_restarts.labels("crash").inc()
    metrics.deliveries.labels("delivered").inc(60)
    metrics.deliveries.labels("failed").inc(6)
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
    fill_archives(metrics)
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


def a_minute(**counts: float) -> dict[tuple[str, ...], float]:
    """Rates by label, from what was counted in the minute that is looked at."""
    return {(label,): count / RANGE_SECONDS for label, count in counts.items()}


GIB = 1024**3
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
    "Verdicts by band A": a_minute(high=1050, medium=250, low=200),
    "Unscorable, by reason A": {("undecodable",): 4, ("deadline",): 1},
    "Overridden by a person A": {("low", "high"): 5},
    "Lows cleared by a new image A": {("view",): 6, ("person",): 3},
    "Studies closed A": {("rest", "ready"): 9, ("quiet", "not_ready"): 4},
    "Studies closed B": {(): 2},
    "Still, p95 A": {(): 0.35},
    "Last byte to verdict A": {(): 0.2},
    "Last byte to verdict B": {(): 0.35},
    "Last byte to verdict C": {(): 0.7},
    "Last byte to verdict D": {(): 1.5},
    "Last byte to verdict E": {(): 3},
    "Last byte to verdict F": {(): 9},
    "Stages, p95 A": {
        ("queue",): 0.025 + 0.95 * 0.025,
        ("read",): 0.025 + 0.95 * 0.025,
        ("preprocess",): 0.001 + 0.95 * 0.0015,
        ("infer",): 0.2 + 0.95 * 0.3,
        ("judge",): 0.95 * 0.001,
        ("record",): 0.005 + 0.95 * 0.005,
    },
    "Last byte to durable A": {(): 0.005},
    "Last byte to durable B": {(): 0.01},
    "Last byte to durable C": {(): 0.01 + 0.8 * 0.015},
    "Oldest image without a verdict A": {(): 1.5},
    "Queue age A": {(): 1.5},
    "Queue A": {(): 7},
    "Received, by sender and result A": {
        ("ROOM1", "kept"): 1000 / RANGE_SECONDS,
        ("ROOM1", "refused"): 2 / RANGE_SECONDS,
        ("ROOM2", "kept"): 500 / RANGE_SECONDS,
    },
    "Bytes received A": a_minute(ROOM1=1_000_000, ROOM2=500_000),
    "Associations A": {(): 4},
    "Associations B": a_minute(released=8),
    "Provider A": {("cpu",): 1},
    "Provider rung A": {("cpu",): 1},
    "Disk free A": {(): 50 * GIB},
    "Disk A": {(): 50 * GIB},
    "Disk B": {(): GIB},
    "Workers replaced A": a_minute(crash=1),
    "Outbox age A": {(): 21},
    "Outbox A": {(): 11},
    "Outbox B": a_minute(delivered=60, failed=6),
    "Received after acquired, median A": {("ROOM1",): 3.5},
    "Received after acquired, median B": {("ROOM2",): 1},
    "HTTP requests A": {("/v1/studies", "2xx"): 30 / RANGE_SECONDS},
    "Waiting for archives A": {("pacs", "owed"): 12, ("pacs", "held"): 3},
    "Oldest object owed A": {("pacs",): 77},
    "Oldest object owed B": {("pacs",): 1},
    "Answers of archives A": {
        ("pacs", "stored"): 90 / RANGE_SECONDS,
        ("pacs", "failed"): 9 / RANGE_SECONDS,
    },
    "Results made A": {("report",): 14},
    "Results not made, by reason A": {("no_source",): 2},
    "Commitment and exam steps A": {(): 6},
    "Commitment and exam steps B": {("ris",): 8},
}
"""What each panel must show for the numbers of `fill`; series at zero are left out.

A quantile lies inside the bucket of its observation: Prometheus spreads a bucket evenly.
"""


def test_every_query_has_a_number_to_show() -> None:
    """A new panel is compared with what was counted, or it isn't added."""
    assert set(QUERIES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_panel_shows_what_was_counted(name: str, scraped: Scraped) -> None:
    """The panel shows the very number that the gate counted."""
    shown = scraped.values(QUERIES[name])
    wanted = EXPECTED[name]

    assert set(wanted) <= set(shown)
    assert pytest.approx(dict.fromkeys(shown, 0.0) | wanted) == shown
