"""What the dashboard shows: its queries and panels, as data for `make_dashboard`."""

from collections.abc import Sequence
from dataclasses import dataclass

CHOSEN = 'calling_ae=~"$calling_ae", exam_type=~"$exam_type"'
VERDICTS = "sonogate_verdicts_total"
VERDICT_SECONDS = "sonogate_verdict_seconds"

Steps = Sequence[tuple[float | None, str]]
SHARE_STEPS: Steps = ((None, "green"), (0.1, "yellow"), (0.25, "red"))


@dataclass(frozen=True, kw_only=True)
class Query:
    """One PromQL expression and how its series are named."""

    expr: str
    legend: str = ""
    instant: bool = False  #: one number per series, over the chosen range


@dataclass(frozen=True)
class Panel:
    """One picture."""

    title: str
    kind: str
    queries: Sequence[Query]
    description: str = ""
    unit: str = "short"
    steps: Steps = ((None, "green"),)
    width: int = 8
    height: int = 8
    most: float | None = None


def total(metric: str, *labels: str, matchers: str = "") -> str:
    """Increase over the chosen range, by labels."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} (increase({selector}[$__range]))"


def bars(metric: str, *labels: str, matchers: str = "", more_than: str = "") -> Query:
    """One bar per label value: its increase over the chosen range."""
    expr = total(metric, *labels, matchers=matchers) + more_than
    return Query(expr=expr, legend=names(labels), instant=True)


def low_share(*labels: str) -> Query:
    """Share of graded images that were low, over the chosen range."""
    low = total(VERDICTS, *labels, matchers=f'status="graded", band="low", {CHOSEN}')
    graded = total(VERDICTS, *labels, matchers=f'status="graded", {CHOSEN}')
    expr = f"({low} or {graded} * 0) / ({graded} > 0)"
    return Query(expr=expr, legend=names(labels), instant=True)


def quantile(share: float, histogram: str, *labels: str, matchers: str = "") -> Query:
    """A quantile of a histogram."""
    selector = f"{histogram}_bucket{{{matchers}}}" if matchers else f"{histogram}_bucket"
    by = ", ".join(("le", *labels))
    expr = f"histogram_quantile({share}, sum by ({by}) (rate({selector}[$__rate_interval])))"
    return Query(expr=expr, legend=names(labels) or f"p{share * 100:.0f}")


def verdict_quantiles(kind: str) -> list[Query]:
    """The median and the tails of last byte to verdict."""
    found = [quantile(q, VERDICT_SECONDS, matchers=f'kind="{kind}"') for q in (0.5, 0.95, 0.99)]
    return [Query(expr=each.expr, legend=f"{kind} {each.legend}") for each in found]


def rate(metric: str, *labels: str, matchers: str = "") -> Query:
    """Events per second, by labels."""
    selector = f"{metric}{{{matchers}}}" if matchers else metric
    expr = f"sum by ({', '.join(labels)}) (rate({selector}[$__rate_interval]))"
    return Query(expr=expr, legend=names(labels))


def names(labels: Sequence[str]) -> str:
    """Name a series by its labels."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def stat(title: str, unit: str, query: Query, steps: Steps, description: str = "") -> Panel:
    """One number."""
    return Panel(title, "stat", [query], description, unit, steps, width=4, height=4)


def bar(title: str, *queries: Query, description: str = "") -> Panel:
    """Counts over the chosen range."""
    return Panel(title, "bargauge", queries, description)


def share(title: str, query: Query) -> Panel:
    """Shares from 0 to 1."""
    return Panel(title, "bargauge", [query], "", "percentunit", SHARE_STEPS, most=1)


def lines(title: str, unit: str, *queries: Query, description: str = "", width: int = 8) -> Panel:
    """Something over time."""
    return Panel(title, "timeseries", queries, description, unit, width=width)


NOW = (
    stat("Low share", "percentunit", low_share(), SHARE_STEPS, "Of graded images."),
    stat(
        "Oldest image without a verdict",
        "s",
        Query(expr="max(sonogate_queue_oldest_seconds)"),
        ((None, "green"), (5, "yellow"), (30, "red")),
    ),
    stat(
        "Still, p95",
        "s",
        quantile(0.95, VERDICT_SECONDS, matchers='kind="still"'),
        ((None, "green"), (1, "yellow"), (2, "red")),
        "Last byte to verdict. The promise is 2 s on a CPU and 1 s on a GPU.",
    ),
    stat(
        "Provider",
        "short",
        Query(expr="max by (provider) (sonogate_provider_rung) == 1", legend="{{provider}}"),
        ((None, "green"),),
        "What the model really runs on.",
    ),
    stat(
        "Disk free",
        "bytes",
        Query(expr="min(sonogate_spool_free_bytes)"),
        ((None, "red"), (2 * 1024**3, "yellow"), (4 * 1024**3, "green")),
        "Below 2 GiB objects are refused.",
    ),
    stat(
        "Outbox age",
        "s",
        Query(expr="max(sonogate_outbox_oldest_seconds)"),
        ((None, "green"), (60, "yellow"), (900, "red")),
        "Age of the oldest event that a webhook has not taken yet.",
    ),
)

QUALITY = (
    share("Low share by sender", low_share("calling_ae")),
    share("Low share by exam type", low_share("exam_type")),
    bar(
        "Why images were low",
        bars("sonogate_findings_total", "finding", matchers=f'band="low", {CHOSEN}'),
        description="Findings of low images; one image may have several.",
    ),
    lines("Verdicts by band", "cps", rate(VERDICTS, "band", matchers=f'status="graded", {CHOSEN}')),
    bar("Verdicts", bars(VERDICTS, "status", "band", matchers=CHOSEN)),
    bar("Unscorable, by reason", bars("sonogate_unscorable_total", "reason")),
    bar(
        "Overridden by a person",
        bars("sonogate_overrides_total", "from_band", "to_band", more_than=" > 0"),
        description="Where people disagree with the gate: its band, then theirs.",
    ),
    bar("Lows cleared by a new image", bars("sonogate_reacquired_total", "how")),
    bar(
        "Studies closed",
        bars("sonogate_studies_closed_total", "closed_by", "state"),
        Query(
            expr=total("sonogate_unscored_at_close_total"),
            legend="images without a verdict at close",
            instant=True,
        ),
    ),
)

TIME = (
    lines(
        "Last byte to verdict",
        "s",
        *verdict_quantiles("still"),
        *verdict_quantiles("cine"),
        width=12,
    ),
    lines("Stages, p95", "s", quantile(0.95, "sonogate_stage_seconds", "stage"), width=12),
    lines("Queue age", "s", Query(expr="max(sonogate_queue_oldest_seconds)", legend="oldest")),
    lines("Queue", "short", Query(expr="sum(sonogate_queue_objects)", legend="without a verdict")),
    lines(
        "Last byte to durable",
        "s",
        *(quantile(q, "sonogate_keep_seconds") for q in (0.5, 0.95, 0.99)),
    ),
)

PLANT = (
    lines(
        "Received, by sender and result",
        "cps",
        rate("sonogate_received_total", "calling_ae", "result"),
    ),
    lines("Bytes received", "Bps", rate("sonogate_received_bytes_total", "calling_ae")),
    lines(
        "Associations",
        "short",
        Query(expr="sum(sonogate_associations)", legend="open"),
        rate("sonogate_associations_ended_total", "result"),
        description="Open now, and ended per second by how.",
    ),
    lines(
        "Provider rung",
        "short",
        Query(expr="max by (provider) (sonogate_provider_rung)", legend="{{provider}}"),
    ),
    lines(
        "Disk",
        "bytes",
        Query(expr="min(sonogate_spool_free_bytes)", legend="free"),
        Query(expr="sum(sonogate_spool_used_bytes)", legend="kept objects"),
    ),
    lines("Workers replaced", "cps", rate("sonogate_worker_restarts_total", "reason")),
    lines(
        "Outbox",
        "short",
        Query(expr="sum(sonogate_outbox_pending)", legend="events owed"),
        rate("sonogate_deliveries_total", "result"),
        description="Events owed now, and attempts per second by result.",
    ),
    lines(
        "Received after acquired, median",
        "s",
        Query(expr="max by (calling_ae) (sonogate_sender_delay_seconds)", legend="{{calling_ae}}"),
        Query(
            expr="max by (calling_ae) (sonogate_sender_clock_skewed) > 0",
            legend="{{calling_ae}}: clock is wrong",
        ),
        description="A sender over two minutes sends at the end of the exam.",
    ),
    lines("HTTP requests", "reqps", rate("sonogate_http_requests_total", "route", "status")),
)

ARCHIVES = (
    lines(
        "Waiting for archives",
        "short",
        Query(
            expr="sum by (destination, state) (sonogate_forward_pending)",
            legend="{{destination}} {{state}}",
        ),
        description="Objects that a destination has not got: owed, held back, refused.",
    ),
    lines(
        "Oldest object owed",
        "s",
        Query(
            expr="max by (destination) (sonogate_forward_oldest_seconds)", legend="{{destination}}"
        ),
        Query(
            expr="max by (destination) (sonogate_forward_breaker_open) > 0",
            legend="{{destination}} is rested from",
        ),
        description="A destination that failed is rested from, then tried again.",
    ),
    lines("Answers of archives", "cps", rate("sonogate_forwarded_total", "destination", "result")),
    bar("Results made", bars("sonogate_results_made_total", "kind")),
    bar(
        "Results not made, by reason",
        bars("sonogate_results_failed_total", "reason"),
        description="Reports, advice and rejections; verdicts are not touched.",
    ),
    lines(
        "Commitment and exam steps",
        "short",
        Query(expr="sum(sonogate_commitments_open)", legend="requests not answered"),
        Query(
            expr="sum by (server) (sonogate_mpps_forwards_pending)", legend="steps for {{server}}"
        ),
    ),
)

ROWS = {"Now": NOW, "Quality": QUALITY, "Time": TIME, "Plant": PLANT, "Archives": ARCHIVES}
