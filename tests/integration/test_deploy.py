"""Images and compose file: what can be known of them without a Docker engine.

Whether the images build and run is for a machine with Docker; docs/how-to/deploy.md says so.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from sonogate.settings import HttpSettings, ListenerSettings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
each_service = pytest.mark.parametrize("name", SERVICES)


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: comments gone, continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in joined.split("\n"))
        if word
    ]


def of(path: Path, wanted: str) -> list[str]:
    """The arguments of every instruction of one kind."""
    return [rest for word, rest in instructions(path) if word == wanted]


def constraints(name: str) -> dict[str, str]:
    """Pinned versions by package."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1] not in ("", "#")]
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


@each_dockerfile
def test_bases_are_pinned_to_a_patch_release(path: Path) -> None:
    """What is built tomorrow is what was built today."""
    for base in of(path, "FROM"):
        assert re.match(r"\S+:\d+\.\d+\.\d+-", base), base


@each_dockerfile
def test_the_python_of_the_image_is_the_one_that_was_tried(path: Path) -> None:
    """Constraints were tried on this minor version; imagecodecs has no newer wheel for it."""
    assert all(base.startswith("python:3.11.") for base in of(path, "FROM"))


@each_dockerfile
def test_it_builds_in_stages_and_ships_neither_pip_nor_its_cache(path: Path) -> None:
    """The image holds what runs and nothing that installs."""
    assert ["AS build", ""] == [base.partition(" ")[2] for base in of(path, "FROM")]
    assert any("PIP_NO_CACHE_DIR=1" in each for each in of(path, "ENV"))
    assert any("pip uninstall --yes pip" in each for each in of(path, "RUN"))


@each_dockerfile
def test_everything_installed_is_pinned(path: Path) -> None:
    """Every pip call names the constraints, or an exact version; the build backend too."""
    calls = [call for run in of(path, "RUN") for call in run.split("&&") if "pip install" in call]

    assert calls
    for call in calls:
        assert "--constraint constraints.txt" in call or re.search(r"install \S+==[\d.]+\s*$", call)
    assert "--build-constraint constraints.txt" in calls[-1]
    assert "hatchling" in constraints("constraints.txt")


@each_dockerfile
def test_what_is_copied_exists_and_is_not_ignored(path: Path) -> None:
    """A COPY of something that is not there is found at the build, too late for us."""
    kept = path.with_name(path.name + ".dockerignore").read_text().splitlines()
    copies = [each.split()[:-1] for each in of(path, "COPY") if "--from" not in each]

    for source in (source for copy in copies for source in copy):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in kept


@each_dockerfile
def test_it_runs_as_nobody_in_particular(path: Path) -> None:
    """Never root; the same user as in the compose file, so that the volume fits."""
    words = [word for word, _ in instructions(path)]

    assert ["10001:10001"] == of(path, "USER")
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert SERVICES["gate"]["user"] == of(path, "USER")[0]


@each_dockerfile
def test_it_says_whether_it_is_well_and_where_it_keeps_images(path: Path) -> None:
    """A container without a health check is replaced by nobody."""
    assert 1 == len(of(path, "HEALTHCHECK"))
    assert ["/var/lib/sonogate"] == of(path, "VOLUME")
    assert [f"{ListenerSettings().port} {HttpSettings().port}"] == of(path, "EXPOSE")


def test_each_image_takes_one_onnxruntime() -> None:
    """Both fill the same import folder: whichever came last would win."""
    asked = {path.stem: " ".join(of(path, "RUN")) for path in DOCKERFILES}

    assert '".[cpu]"' in asked["gate"]
    assert '".[gpu]"' in asked["gate-tensorrt"]
    assert "[cpu]" not in asked["gate-tensorrt"]


def test_the_gpu_versions_are_those_the_extra_asks_for() -> None:
    """onnxruntime-gpu 1.31 is linked to TensorRT 10 and CUDA 13; TensorRT 11 does not load."""
    pinned = constraints("docker/constraints-gpu.txt")
    extra = PROJECT["optional-dependencies"]["gpu"]

    assert pinned["onnxruntime-gpu"].startswith("1.31.")
    assert any("onnxruntime-gpu[cuda,cudnn]==1.31.*" == each for each in extra)
    assert (10, 16) <= tuple(int(part) for part in pinned["tensorrt"].split(".")[:2]) < (11,)
    assert not set(pinned) & set(constraints("constraints.txt"))


def test_every_direct_dependency_is_pinned() -> None:
    """A dependency added without its pin would be another one on the next machine."""
    cpu = PROJECT["optional-dependencies"]["cpu"]
    named = {re.split(r"[^\w.-]", each)[0].lower() for each in PROJECT["dependencies"] + cpu}

    assert set() == named - set(constraints("constraints.txt"))


def test_constraints_hold_versions_and_no_addresses() -> None:
    """Where packages come from is each machine's own affair."""
    for name in ("constraints.txt", "docker/constraints-gpu.txt"):
        assert all(re.fullmatch(r"[\w.-]+", version) for version in constraints(name).values())


@each_service
def test_services_are_pinned_and_hardened(name: str) -> None:
    """Non-root, read-only, no capability, no way to more; a tag that does not move."""
    service = SERVICES[name]

    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    assert not service["user"].startswith(("0", "root"))
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "healthcheck" in service or name == "gate"  # the gate's is in its image


def test_nothing_listens_beyond_loopback_by_default() -> None:
    """Opening a port to the hospital is a decision, not a default."""
    assert all("ports" not in service for service in SERVICES.values())
    assert all("host" == service["network_mode"] for service in SERVICES.values())
    assert "--web.listen-address=127.0.0.1:9090" in SERVICES["prometheus"]["command"]
    assert "127.0.0.1" == SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"]
    assert not [key for key in SERVICES["gate"]["environment"] if key.endswith("__HOST")]
    assert ("127.0.0.1", "127.0.0.1") == (ListenerSettings().host, HttpSettings().host)


def test_what_must_survive_lies_on_a_volume() -> None:
    """Read-only roots write nowhere else; acknowledged images are never on tmpfs."""
    for name, target in (
        ("gate", SERVICES["gate"]["environment"]["SONOGATE_DATA_DIR"]),
        ("prometheus", "/prometheus"),
        ("grafana", "/var/lib/grafana"),
    ):
        assert any(volume.split()[0] == f"{name}:{target}" for volume in SERVICES[name]["volumes"])
        assert name in COMPOSE["volumes"]


@each_service
def test_every_mounted_file_is_here(name: str) -> None:
    """Docker would make an empty folder in its place, and say nothing."""
    for volume in SERVICES[name]["volumes"]:
        source = volume.partition(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).exists(), source


def test_the_image_carries_this_version() -> None:
    """compose, image and package agree."""
    assert f"sonogate:{PROJECT['version']}" == SERVICES["gate"]["image"]


def test_prometheus_scrapes_where_the_gate_listens() -> None:
    """One port in three files."""
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )

    (job,) = scrape["scrape_configs"]
    assert [f"127.0.0.1:{HttpSettings().port}"] == job["static_configs"][0]["targets"]
    assert "http://127.0.0.1:9090" == source["datasources"][0]["url"]


class _Well(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer as a gate that lives."""
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def well() -> Iterator[str]:
    """The address of something that lives."""
    server = HTTPServer(("127.0.0.1", 0), _Well)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "expected"), [("/health/live", 0), ("/broken", 1), (":1/refused", 1)]
)
def test_the_health_check_tells_well_from_unwell(well: str, path: str, expected: int) -> None:
    """The script of the image, run as the image runs it."""
    url = f"http://127.0.0.1{path}" if path.startswith(":") else well + path
    command = [sys.executable, "-I", str(ROOT / "docker" / "healthcheck.py")]

    done = subprocess.run(
        command, env={"GATE_HEALTH_URL": url}, capture_output=True, timeout=20, check=False
    )

    assert expected == done.returncode
