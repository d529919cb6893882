"""Print the gate's Grafana dashboard.

    python deploy/grafana/make_dashboard.py > deploy/grafana/dashboards/sonogate.json

Standard library only. A test asks that the JSON file is what this prints, and that every query is
answered by a real Prometheus.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from panels import ROWS, Panel

Json = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "sonogate-prometheus"}
COLUMNS = 24  # of Grafana's grid
BAND_COLOURS = {"high": "green", "medium": "yellow", "low": "red"}
COLOUR_OVERRIDES = [
    {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
    }
    for name, colour in BAND_COLOURS.items()
]


def make_dashboard() -> Json:
    """Lay the panels out and add what the reader may choose."""
    return {
        "uid": "sonogate",
        "title": "SonoGate",
        "description": "Every image judged while the patient is still on the table.",
        "tags": ["sonogate"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [chooser("calling_ae", "Sender"), chooser("exam_type", "Exam type")]
        },
        "panels": list(lay_out()),
    }


def chooser(label: str, title: str) -> Json:
    """A choice among the values of a label; all by default."""
    return {
        "name": label,
        "label": title,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": f"label_values(sonogate_verdicts_total, {label})", "refId": label},
        "definition": f"label_values(sonogate_verdicts_total, {label})",
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def lay_out() -> Iterator[Json]:
    """Fill rows from left to right."""
    number, top = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top, left = top + 1, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                top, left = top + panel.height, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield to_json(panel, number) | {"gridPos": place}
            left += panel.width
        top += panels[-1].height


def to_json(panel: Panel, number: int) -> Json:
    """Write one panel as Grafana reads it."""
    steps = [{"value": value, "color": colour} for value, colour in panel.steps]
    defaults: Json = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.most is not None:
        defaults["max"] = panel.most
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": overrides_of(panel)},
        "options": options_of(panel),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": query.instant,
                "range": not query.instant,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def options_of(panel: Panel) -> Json:
    """How each kind of panel shows its numbers."""
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}}
    if panel.kind == "bargauge":
        return {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": last}
    text = "name" if panel.title == "Provider" else "auto"
    return {"reduceOptions": last, "textMode": text, "colorMode": "background"}


def overrides_of(panel: Panel) -> list[Json]:
    """Fix the colours where series are bands."""
    shows_bands = any(query.legend == "{{band}}" for query in panel.queries)
    return COLOUR_OVERRIDES if shows_bands else []


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make_dashboard(), indent=1) + "\n")
