"""The page of all metrics, made from the metrics themselves.

    python -m sonogate.observe.reference > docs/reference/metrics.md

A test asks that the page is what this makes.
"""

import sys
from collections.abc import Iterator
from itertools import chain

from prometheus_client.metrics import MetricWrapperBase

from sonogate.observe.labels import LABEL_LIMIT
from sonogate.observe.metrics import Metrics

HEAD = f"""# Metrics

What `GET /metrics` shows, in Prometheus form. Written by `python -m sonogate.observe.reference`;
don't edit.

Labels come from closed sets, so no label ever holds a UID or anything of a patient. Of senders
the first {LABEL_LIMIT} AE titles are shown. Of exam types those are shown that the standard or
`[[judge.thresholds]]` names: a cart without Body Part Examined gives its study description
instead, which a person may have typed a name into. The rest count as `other`; `none` stands for
nothing. Counters end in `_total`; histograms have `_bucket`, `_sum` and
`_count`. Series of closed labels start at 0.

| metric | kind | labels | what it says |
| --- | --- | --- | --- |
"""


def make_reference() -> str:
    """Return the page as Markdown."""
    return HEAD + "".join(sorted(_lines(Metrics())))


def _lines(metrics: Metrics) -> Iterator[str]:
    parts = (
        metrics,
        metrics.forward,
        metrics.results,
        metrics.network,
        metrics.audit,
        metrics.advice,
        metrics.process,
    )
    for metric in chain.from_iterable(vars(part).values() for part in parts):
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            suffix = "_total" if family.type == "counter" else ""
            labels = ", ".join(f"`{name}`" for name in metric._labelnames)
            name = f"`{family.name}{suffix}`"
            yield f"| {name} | {family.type} | {labels or 'none'} | {family.documentation} |\n"


if __name__ == "__main__":
    sys.stdout.write(make_reference())
