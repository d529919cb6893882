"""A real Prometheus with the deployed configuration, and the dashboard's queries to ask it."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RANGE_SECONDS = 60


@dataclass(frozen=True)
class Prometheus:
    """A running server and its HTTP API."""

    client: httpx.Client

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Read one resource of the API."""
        answer = self.client.get(f"/api/v1/{path}", params=parameters).json()
        assert "success" == answer["status"], f"{parameters}: {answer}"
        found: dict[str, Any] = answer["data"]
        return found

    def ask(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """Evaluate an expression; return its series."""
        when = {"time": f"{at:.3f}"} if at else {}
        result: list[dict[str, Any]] = self.get("query", query=expr, **when)["result"]
        return result

    def values(self, expr: str, at: float | None = None) -> dict[tuple[str, ...], float]:
        """Evaluate an expression and key each value by its label values, in order of label."""
        return {
            tuple(series["metric"][label] for label in sorted(series["metric"])): float(
                series["value"][1]
            )
            for series in self.ask(expr, at)
        }

    def wait_for(self, metric: str, value: float, seconds: float = 15.0) -> float:
        """Wait until a metric was scraped at a value; return the time of that scrape."""
        deadline = time.monotonic() + seconds
        while not self.ask(f"{metric} == {value}"):
            assert time.monotonic() < deadline, f"{metric} did not become {value}"
            time.sleep(0.1)
        return float(self.ask(f"timestamp({metric})")[0]["value"][1])


@contextmanager
def running_prometheus(binary: str, folder: Path, metrics_url: str) -> Iterator[Prometheus]:
    """Run the deployed configuration with our address and a quicker pace."""
    address = httpx.URL(metrics_url)
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / "rules" / "*.yml")]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [address.netloc.decode()]}]
    job["metrics_path"] = address.path
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=url) as client:
                wait_until_ready(client)
                yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(timeout=10)


def wait_until_ready(client: httpx.Client) -> None:
    """Wait for the API."""
    for _ in range(200):
        try:
            if client.get("/-/ready").is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    pytest.fail("Prometheus did not become ready")


def as_grafana_asks(expr: str, range_ms: int = RANGE_SECONDS * 1000) -> str:
    """Put in what Grafana would for its variables: everything chosen, one minute."""
    for variable, value in {
        "$__range": f"{range_ms}ms",
        "$__rate_interval": f"{range_ms}ms",
        "$calling_ae": ".*",
        "$exam_type": ".*",
    }.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr
    return expr


def dashboard() -> dict[str, Any]:
    """The JSON that Grafana is given."""
    found: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "sonogate.json").read_text())
    return found


QUERIES: dict[str, str] = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in dashboard()["panels"]
    for target in panel.get("targets", [])
}
"""Expressions by panel and letter."""
