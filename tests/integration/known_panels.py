"""What each panel of the dashboard must show of a known day.

A count is exact. A time, a rate or a number of bytes lies within bounds, each taken at the sender's
side, from the REST answers or from the machine; none from the gate's metrics.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sonogate.observe.metrics import STAGE_BUCKETS, VERDICT_BUCKETS
from tests.integration.known_archives import answers_of_archives, not_passed_on, oldest_owed
from tests.integration.known_day import Sent
from tests.integration.known_ward import GAUGE_SECONDS
from tests.integration.known_window import Key, Span, Spans, Window

META_BYTES = 1024
"""More than the file meta that the gate writes before a data set."""
SEEN_SECONDS = 0.1
"""A verdict may be counted so long after it is readable."""


def exactly(counts: Mapping[Any, float]) -> Spans:
    """Counts, by label or labels."""
    return {key if isinstance(key, tuple) else (key,): Span(n, n) for key, n in counts.items()}


def per_second(window: Window, counts: Mapping[Any, float]) -> Spans:
    """Counts, as the rate over the window."""
    return exactly({key: n / window.seconds for key, n in counts.items()})


def low_shares(window: Window, name_of: Callable[[Sent], Key]) -> Spans:
    """Low among graded, by what `name_of` says."""
    graded = Counter(name_of(each) for each in window.graded)
    low = Counter(name_of(each) for each in window.graded if each.judged["band"] == "low")
    return exactly({key: low[key] / n for key, n in graded.items()})


def quantile(share: float, buckets: Sequence[float], spans: Iterable[tuple[float, float]]) -> Span:
    """Where a histogram may see a quantile of values that are known by their bounds."""
    pairs = list(spans)
    rank = share * len(pairs)
    first, last = math.ceil(rank) - 1, min(math.floor(rank), len(pairs) - 1)
    least = sorted(low for low, _ in pairs)[first]
    most = sorted(high for _, high in pairs)[last]
    return Span(
        max((edge for edge in buckets if edge < least), default=0.0),
        min((edge for edge in buckets if edge >= most), default=buckets[-1]),
    )


def verdict_seconds(window: Window, share: float, *, is_cine: bool) -> Spans:
    """From the last byte to the verdict: the gate's own word at least, the sender's at most."""
    spans = []
    for each in window.judged:
        assert each.seen_at is not None
        most = (each.seen_at - each.before).total_seconds() + SEEN_SECONDS
        if each.is_cine == is_cine:
            spans.append((max(each.judged["seconds"]["total"], each.least_seconds), most))
    return {(): quantile(share, VERDICT_BUCKETS, spans)}


def keep_seconds(window: Window, share: float) -> Spans:
    """From the last byte to durable: the disk at least, until the answer came at most."""
    kept = [each for each in window.sent if each.result != "refused"]
    spans = [(each.least_keep_seconds, each.keep_seconds) for each in kept]
    return {(): quantile(share, STAGE_BUCKETS, spans)}


def stage_seconds(window: Window) -> Spans:
    """As each verdict says; to record it took no longer than until it was seen."""
    found: dict[Key, Span] = {}
    for stage in ("queue", "read", "preprocess", "infer", "judge"):
        values = [each.judged["seconds"][stage] for each in window.judged]
        found[stage,] = quantile(0.95, STAGE_BUCKETS, zip(values, values, strict=True))
    spans = []
    for each in window.judged:
        assert each.seen_at is not None
        judged_at = datetime.fromisoformat(each.judged["verdict_at"])
        spans.append((0.0, (each.seen_at - judged_at).total_seconds() + SEEN_SECONDS))
    return {**found, ("record",): quantile(0.95, STAGE_BUCKETS, spans)}


def closed_studies(window: Window) -> Counter[Key]:
    """By hand if we closed it, else quietly; ready if nothing is left to do."""
    return Counter(
        (
            "rest" if uid in window.day.closed_by_hand else "quiet",
            "ready" if study["ready_to_close"] else "not_ready",
        )
        for uid, study in window.day.studies.items()
    )


def received_bytes(window: Window, sent: Iterable[Sent], *, by_sender: bool) -> Spans:
    """As sent, and the file meta that the gate adds."""
    n_bytes: Counter[Key] = Counter()
    n_objects: Counter[Key] = Counter()
    for each in sent:
        key = (each.ae,) if by_sender else ()
        n_bytes[key] += each.n_bytes
        n_objects[key] += 1
    return {key: Span(n, n + META_BYTES * n_objects[key]) for key, n in n_bytes.items()}


def bytes_per_second(window: Window) -> Spans:
    """Everything that was not refused, by sender."""
    taken = [each for each in window.sent if each.result != "refused"]
    found = received_bytes(window, taken, by_sender=True)
    long = window.seconds
    return {key: Span(span.least / long, span.most / long) for key, span in found.items()}


def bytes_kept(window: Window) -> Spans:
    """Everything of all days that was kept."""
    kept = [each for day in window.earlier for each in day.kept]
    return received_bytes(window, kept + window.judged + list(window.waiting), by_sender=False)


def delays(window: Window) -> Spans:
    """Median of received minus acquired, of carts with a right clock and five images or more."""
    found: dict[Key, Span] = {}
    carts = [each for day in (*window.earlier, window.day) for each in day.kept]
    carts = [each for each in carts if each.acquired_at and each.judged["acquired_at"]]
    for ae in {each.ae for each in carts if each.ae != "AHEAD"}:
        mine = [each for each in carts if each.ae == ae]
        least = [seconds(each.before, each.acquired_at) for each in mine]
        most = [seconds(each.after, each.acquired_at) for each in mine]
        if len(mine) >= 5:
            found[ae,] = Span(*(min(median(d), median(d[-20:])) for d in (least, most)))
    return found


def seconds(later: datetime, earlier: datetime | None) -> float:
    """The time between."""
    assert earlier is not None
    return (later - earlier).total_seconds()


def queue_age(window: Window) -> Spans:
    """The first object that waits, up to the last time when the gauge was set."""
    first = window.waiting[0]
    most = window.at - first.before.timestamp()
    return {(): Span(window.at - first.after.timestamp() - GAUGE_SECONDS, most)}


def outbox_age(window: Window) -> Spans:
    """The first verdict that the receiver has not taken."""
    first = window.owed[0]
    most = window.at - first.before.timestamp()
    return {(): Span(window.at - first.after.timestamp() - GAUGE_SECONDS, most)}


def free_bytes(window: Window) -> Spans:
    """What the file system says, give or take what others write meanwhile."""
    stat = os.statvfs(window.data_dir)
    free = stat.f_bavail * stat.f_frsize
    return {(): Span(0.98 * free, 1.02 * free)}


def deliveries(window: Window) -> Counter[str]:
    """As the receiver counted them."""
    mine = [delivered for at, delivered in window.ear.attempts if window.since < at < window.at]
    return Counter("delivered" if delivered else "failed" for delivered in mine)


def requests(window: Window) -> Counter[Key]:
    """Ours, and the scrapes."""
    return Counter[Key]({**window.day.requests, ("/metrics", "2xx"): window.n_scrapes})


def bands(window: Window) -> Counter[str]:
    """Graded verdicts."""
    return Counter(each.judged["band"] for each in window.graded)


def reasons(window: Window) -> Counter[str]:
    """Why the broken ones and the one whose worker was held have no band."""
    n_late = window.day.workers_lost["deadline"]
    n_unscorable = sum(each.judged["status"] == "unscorable" for each in window.judged)
    return Counter({"undecodable": n_unscorable - n_late, "deadline": n_late})


def findings_of_lows(window: Window) -> Counter[str]:
    """Each finding of each low."""
    lows = [each.judged for each in window.graded if each.judged["band"] == "low"]
    return Counter(finding["code"] for low in lows for finding in low["findings"])


def provider(window: Window) -> Spans:
    """What the verdicts name."""
    return exactly({each.judged["model"]["provider"]: 1 for each in window.graded})


def still_p(share: float) -> Callable[[Window], Spans]:
    """A quantile of stills."""
    return lambda window: verdict_seconds(window, share, is_cine=False)


def cine_p(share: float) -> Callable[[Window], Spans]:
    """A quantile of loops."""
    return lambda window: verdict_seconds(window, share, is_cine=True)


def keep_p(share: float) -> Callable[[Window], Spans]:
    """A quantile of keeping."""
    return lambda window: keep_seconds(window, share)


PANELS: Mapping[str, Callable[[Window], Spans]] = {
    "Low share A": lambda w: low_shares(w, lambda _: ()),
    "Low share by sender A": lambda w: low_shares(w, lambda each: (each.ae,)),
    "Low share by exam type A": lambda w: low_shares(w, lambda each: (each.exam,)),
    "Why images were low A": lambda w: exactly(findings_of_lows(w)),
    "Verdicts A": lambda w: exactly(
        Counter((each.judged["band"] or "none", each.judged["status"]) for each in w.judged)
    ),
    "Verdicts by band A": lambda w: per_second(w, bands(w)),
    "Unscorable, by reason A": lambda w: exactly(reasons(w)),
    "Overridden by a person A": lambda w: exactly(w.day.overrides),
    "Lows cleared by a new image A": lambda w: exactly(w.day.cleared),
    "Studies closed A": lambda w: exactly(closed_studies(w)),
    "Studies closed B": lambda w: exactly(
        {(): sum(len(study["unscored"]) for study in w.day.studies.values())}
    ),
    "Still, p95 A": still_p(0.95),
    "Last byte to verdict A": still_p(0.5),
    "Last byte to verdict B": still_p(0.95),
    "Last byte to verdict C": still_p(0.99),
    "Last byte to verdict D": cine_p(0.5),
    "Last byte to verdict E": cine_p(0.95),
    "Last byte to verdict F": cine_p(0.99),
    "Stages, p95 A": stage_seconds,
    "Last byte to durable A": keep_p(0.5),
    "Last byte to durable B": keep_p(0.95),
    "Last byte to durable C": keep_p(0.99),
    "Oldest image without a verdict A": queue_age,
    "Queue age A": queue_age,
    "Queue A": lambda w: exactly({(): len(w.waiting)}),
    "Received, by sender and result A": lambda w: per_second(
        w, Counter((each.ae, each.result) for each in w.sent)
    ),
    "Bytes received A": bytes_per_second,
    "Associations A": lambda w: exactly({(): w.n_open}),
    "Associations B": lambda w: per_second(w, w.day.ended),
    "Provider A": provider,
    "Provider rung A": provider,
    "Disk free A": free_bytes,
    "Disk A": free_bytes,
    "Disk B": bytes_kept,
    "Workers replaced A": lambda w: per_second(w, w.day.workers_lost),
    "Outbox age A": outbox_age,
    "Outbox A": lambda w: exactly({(): len(w.owed)}),
    "Outbox B": lambda w: per_second(w, deliveries(w)),
    "Received after acquired, median A": delays,
    "Received after acquired, median B": lambda _: exactly({"AHEAD": 1}),
    "HTTP requests A": lambda w: per_second(w, requests(w)),
    "Waiting for archives A": not_passed_on,
    "Oldest object owed A": oldest_owed,
    "Oldest object owed B": lambda _: exactly({"dead": 1}),
    "Answers of archives A": answers_of_archives,
    "Results made A": lambda _: exactly({"report": 0, "advice": 0, "rejection": 0}),
    "Results not made, by reason A": lambda _: exactly({"no_source": 0, "refused": 0, "scribe": 0}),
    "Commitment and exam steps A": lambda _: exactly({(): 0}),
    "Commitment and exam steps B": lambda _: exactly({"ris": 0}),
}
"""Each query of the dashboard; series at zero are left out."""
