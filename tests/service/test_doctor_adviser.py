"""What the doctor says of the adviser."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from sonogate.doctor import adviser
from sonogate.doctor.check import Check, Level
from tests.advice_server import AdviceServer
from tests.service.test_doctor import settings_with

pytestmark = pytest.mark.integration


def checked(folder: Path, **advice: Any) -> list[Check]:
    """Look at an adviser."""
    facts: dict[str, Any] = {"enabled": True, "model": "tiny"} | advice
    return list(adviser.checks(settings_with(folder, advice=facts)))


def test_without_an_adviser_nothing_is_said(tmp_path: Path) -> None:
    """It is off by default."""
    assert [] == checked(tmp_path, enabled=False)


def test_an_endpoint_is_asked_for_its_models(tmp_path: Path) -> None:
    """It has the one of the settings, or another, or nobody is there; no picture is shown to it."""
    with AdviceServer() as server:
        (good,) = checked(tmp_path, url=server.url)
        (other,) = checked(tmp_path, url=server.url, model="large")
        n_asked = len(server.asked)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (away,) = checked(tmp_path, url=f"http://127.0.0.1:{port}/v1")

    assert (Level.OK, "127.0.0.1 answers and has the model") == (good.level, good.said)
    assert (Level.WARN, "it has: tiny") == (other.level, other.remedy)
    assert (Level.WARN, "see that it runs, and its url") == (away.level, away.remedy)
    assert 0 == n_asked


def test_pictures_in_the_clear_are_warned_of(tmp_path: Path) -> None:
    """Beyond this machine http:// is read by whoever is on the way."""
    checks = checked(tmp_path, url="http://adviser.invalid/v1")

    assert [Level.WARN, Level.WARN] == [each.level for each in checks]
    assert "unencrypted" in checks[1].said


def test_a_folder_of_weights_and_its_python_are_looked_at(tmp_path: Path) -> None:
    """Neither is there; then a folder without weights."""
    local: dict[str, Any] = {"kind": "local", "weights": tmp_path / "w"}
    missing = checked(tmp_path, python=tmp_path / "python", **local)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "config.json").write_text("{}")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    bare = checked(tmp_path, python=python, **local)

    assert [Level.WARN] * 4 == [each.level for each in (*missing, *bare)]
    assert "its Python does not run" in missing[0].said
    assert "holds no model" in missing[1].said
    assert "no transformers" in bare[0].said
    assert "holds no weights" in bare[1].said
