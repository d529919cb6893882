"""What is known of the way to archives: made-up numbers, and what panels show of a known day."""

from sonogate.observe.metrics import Metrics
from tests.integration.known_day import Sent
from tests.integration.known_ward import GAUGE_SECONDS
from tests.integration.known_window import Span, Spans, Window


def fill_archives(metrics: Metrics) -> None:
    """Count what went to a PACS that is down now, and what is asked of others."""
    for result, count in (("stored", 90), ("failed", 9)):
        metrics.forward.answers.labels("pacs", result).inc(count)
    for state, count in (("owed", 12), ("held", 3)):
        metrics.forward.pending.labels("pacs", state).set(count)
    metrics.forward.oldest_seconds.labels("pacs").set(77)
    metrics.forward.breaker_open.labels("pacs").set(1)
    metrics.results.made.labels("report").inc(14)
    metrics.results.failed.labels("no_source").inc(2)
    metrics.network.commitments_open.set(6)
    metrics.network.step_forwards_pending.labels("ris").set(8)


def of_archives(window: Window) -> list[Sent]:
    """Everything of the window that archives are owed: pictures stay here."""
    return [each for each in (*window.judged, *window.waiting) if each.uid is not None]


def not_passed_on(window: Window) -> Spans:
    """The dead archive has got nothing of all days, the folder everything."""
    before = [each for day in window.earlier for each in day.kept if each.uid is not None]
    owed = len(before) + len(of_archives(window))
    counts = {("dead", "owed"): owed}
    names = [(name, s) for name in ("dead", "shelf") for s in ("owed", "held", "refused")]
    return {name: Span(counts.get(name, 0), counts.get(name, 0)) for name in names}


def oldest_owed(window: Window) -> Spans:
    """The first object of the first day, to the dead archive."""
    first = window.earlier[0].kept[0]
    most = window.at - first.before.timestamp()
    return {
        ("dead",): Span(window.at - first.after.timestamp() - GAUGE_SECONDS, most),
        ("shelf",): Span(0, 0),
    }


def answers_of_archives(window: Window) -> Spans:
    """The folder stored each at once; how often the dead one was tried is its own affair."""
    stored = len(of_archives(window)) / window.seconds
    return {("shelf", "stored"): Span(stored, stored), ("dead", "failed"): Span(0, 1)}
