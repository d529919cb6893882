"""The Grafana dashboard: written by its script, asking the right source, no panel over another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"


def dashboard() -> dict[str, Any]:
    """The JSON that Grafana is given."""
    found: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "sonogate.json").read_text())
    return found


def test_the_dashboard_is_what_its_script_prints() -> None:
    """Change the script, not the JSON: python deploy/grafana/make_dashboard.py."""
    command = [sys.executable, "-B", str(GRAFANA / "make_dashboard.py")]

    printed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    assert (GRAFANA / "dashboards" / "sonogate.json").read_text() == printed.stdout


def test_the_dashboard_asks_the_provisioned_data_source() -> None:
    """A wrong identity shows empty panels and no error."""
    path = GRAFANA / "provisioning" / "datasources" / "prometheus.yaml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]

    asked = {
        target["datasource"]["uid"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    }
    assert {source["uid"]} == asked


def test_every_panel_has_a_name_of_its_own() -> None:
    """Two panels of one name are taken for each other."""
    titles = [panel["title"] for panel in dashboard()["panels"]]

    assert sorted(set(titles)) == sorted(titles)


def test_panels_do_not_overlap() -> None:
    """Grafana moves what overlaps, and nobody finds anything where it was."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_grafana_is_told_where_the_dashboard_lies() -> None:
    """The provider's folder is the one that the compose file mounts."""
    provided = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "sonogate.yaml").read_text()
    )
    compose = yaml.safe_load((GRAFANA.parent / "compose.yaml").read_text())

    folder = provided["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{folder}:ro" in compose["services"]["grafana"]["volumes"]
