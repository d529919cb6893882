"""The house stays as drawn."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "service/src/sonogate", ROOT / "models/src/sonoquality")
REQUIRED = ("pyproject.toml", "service", "models", "deploy", "docker", "loadtests", "tests")
LONGEST_FILE = 400


def python_files() -> list[Path]:
    """Return every module that ships."""
    return [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


@pytest.mark.parametrize("name", REQUIRED)
def test_the_top_level_holds_what_was_asked_for(name: str) -> None:
    """The folders the user named are there."""
    assert (ROOT / name).exists()


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    """A file that outgrows a few screens is split before it grows on."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_runtime_never_imports_torch(path: Path) -> None:
    """Only the training rooms may name torch, and none of them is imported at run time."""
    if {"training", "networks", "labelling", "export"} & set(path.parts):
        return
    if path.parts[-2:] == ("mllm", "local.py"):  # an adapter that only tools of the models load
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert not imported & {"torch", "torchvision", "timm", "transformers", "onnx"}


def test_every_room_has_its_line_in_the_architecture() -> None:
    """ARCHITECTURE.md names every package of the gate and of the models."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [
        folder.name
        for package in PACKAGES
        for folder in package.iterdir()
        if folder.is_dir() and folder.name != "__pycache__" and any(folder.iterdir())
    ]

    assert [] == [room for room in rooms if f"`{room}" not in text and f"{room}/" not in text]


def test_every_make_target_is_explained() -> None:
    """`make` lists every target."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))

    assert set(phony.group(1).split()) == explained


def test_ci_shows_that_the_tests_need_no_torch() -> None:
    """`make test` runs before a target whose extras bring torch."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    made = [line.partition("#")[0].split()[1] for line in lines if line.startswith("make ")]

    assert ["test", "test-train", "check"] == made


def test_the_two_runtimes_are_never_in_the_core() -> None:
    """A runtime comes by an extra, and TensorRT stays at the version its runtime links."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert not [need for need in project["dependencies"] if need.startswith("onnxruntime")]
    assert "tensorrt>=10.16,<11" in project["optional-dependencies"]["gpu"]


def test_no_registry_address_and_no_lock_file_is_kept() -> None:
    """Versions are pinned by number only."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    names = {Path(name).name for name in listed}

    assert not names & {"uv.lock", "package-lock.json", "poetry.lock"}
