"""Alert rules: valid, unit-tested by promtool, explained in the runbook, true to the code."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sonogate.observe.metrics import Metrics
from sonogate.settings import SpoolSettings, TrackSettings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "how-to" / "alerts.md"
UNIT_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))


def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [
        rule
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def exported_names() -> set[str]:
    """Every series name that the gate's /metrics shows, and Prometheus' own `up`."""
    return {
        sample.name
        for family in Metrics().registry.collect()
        for sample in (*family.samples, _first_sample(family.name, family.type))
    } | {"up"}


def _first_sample(name: str, kind: str) -> Any:
    """Name the series of a labelled metric that has none yet."""
    suffix = {"counter": "_total", "histogram": "_bucket"}.get(kind, "")
    return type("Sample", (), {"name": name + suffix})


def test_promtool_accepts_the_configuration_and_its_rules(need_tool: Callable[[str], str]) -> None:
    """The very files that are deployed."""
    command = [need_tool("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_promtool_s_unit_tests_pass(path: Path, need_tool: Callable[[str], str]) -> None:
    """Each alert is seen to fire on made-up series, and to keep quiet beside them."""
    command = [need_tool("promtool"), "test", "rules", path.name]

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=path.parent
    )

    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_seen_to_fire(name: str) -> None:
    """An alert without a test that fires is a hope."""
    fired = {
        test["alertname"]
        for path in UNIT_TESTS
        for each in yaml.safe_load(path.read_text())["tests"]
        for test in each.get("alert_rule_test", [])
        if test["exp_alerts"]
    }

    assert name in fired


@pytest.mark.parametrize("name", ALERTS)
@pytest.mark.docs
def test_every_alert_says_what_and_links_to_its_runbook(name: str) -> None:
    """Whoever is woken reads one sentence, then the steps."""
    notes = ALERTS[name]["annotations"]
    link, _, anchor = notes["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE)

    assert notes["summary"]
    assert notes["description"]
    assert RUNBOOK == ROOT / link
    assert name == {heading.lower(): heading for heading in headings}.get(anchor)


@pytest.mark.docs
def test_the_runbook_explains_no_alert_that_is_not_there() -> None:
    """A runbook that lags behind sends people astray."""
    headings = set(re.findall(r"^## (Sonogate\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE))

    assert set(ALERTS) == headings


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_of_a_rule_is_one_the_gate_shows(rule: dict[str, Any]) -> None:
    """A renamed metric would silence its alert."""
    recorded = {each["record"] for each in rules() if "record" in each}
    named = set(re.findall(r"\b(?:sonogate[_:][\w:]+|up)\b", rule["expr"]))

    assert named
    assert named <= exported_names() | recorded


def test_limits_agree_with_the_defaults_of_the_settings() -> None:
    """The alert on a full disk and the listener's refusal are one limit."""
    assert 2 * 1024**3 == SpoolSettings().min_free_bytes
    assert ALERTS["SonogateDiskFull"]["expr"].endswith("< 2 * 1024^3")
    late = f"sonogate_sender_delay_seconds > {TrackSettings().late_sender_seconds:g}"
    assert late == ALERTS["SonogateSenderLate"]["expr"]
