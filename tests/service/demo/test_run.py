"""`sonogate demo` as a user runs it: a real gate, real associations, a verdict for every object."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from sonogate.demo.exam import Coding, Shot, make_exam
from sonogate.demo.phantom import Fault
from sonogate.demo.run import Wishes, demo_settings
from sonogate.settings import ListenerSettings, ScoringSettings, Settings
from sonoquality.zoo import CARD_FILE, default_zoo

pytestmark = pytest.mark.integration

FREE_PORTS = ("--dicom-port", "0", "--http-port", "0")
SHOTS = [
    Shot(view="thyroid", fault=Fault.NO_CONTACT, coding=Coding.RLE),
    Shot(view="thyroid"),
]


@pytest.fixture(autouse=True)
def _needs_a_model() -> None:
    """These tests ask the shipped model."""
    assert (default_zoo() / ScoringSettings().model / CARD_FILE).is_file()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three objects, the same UID again with other bytes, and a file that is no object."""
    place = tmp_path_factory.mktemp("objects")
    objects = list(make_exam(datetime.now(UTC), shots=SHOTS))
    for number, ds in enumerate(objects):
        ds.save_as(place / f"{number}.dcm", enforce_file_format=True)
    objects[1].InstanceNumber = 77
    objects[1].save_as(place / "conflict.dcm", enforce_file_format=True)
    (place / "notes.txt").write_text("no object")
    return place


def command(*arguments: object) -> list[str]:
    """Return the command line of `sonogate demo`."""
    return [sys.executable, "-m", "sonogate", "demo", *map(str, arguments), *FREE_PORTS]


def environment() -> dict[str, str]:
    """Return an environment without settings of this machine, wide enough for the table."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SONOGATE_")}
    return {**kept, "COLUMNS": "160"}


@pytest.mark.slow
def test_once_ends_with_a_verdict_for_every_object(folder: Path) -> None:
    """Both contents of the UID in conflict are judged; what is no object is named; exit code 0."""
    done = subprocess.run(
        command("--once", "--from", folder),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=100,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "4 of 4 objects have a verdict" in done.stdout
    assert "notes.txt: not a DICOM file" in done.stdout
    assert re.search(r"0 .*● low", done.stdout)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_refused_object_is_a_missing_verdict(folder: Path) -> None:
    """A gate without disk room keeps nothing: the table says so, and the exit code is 1."""
    done = subprocess.run(
        command("--once", "--from", folder),
        capture_output=True,
        text=True,
        env={**environment(), "SONOGATE_SPOOL__MIN_FREE_BYTES": str(10**18)},
        check=False,
        timeout=100,
    )

    assert 1 == done.returncode
    assert "0 of 4 objects have a verdict" in done.stdout
    assert "0xA700 (out of resources, send again later)" in done.stdout


@pytest.fixture
def serving(folder: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that goes on serving, and its page's address."""
    process = subprocess.Popen(
        command("--from", folder, "--data-dir", tmp_path / "kept"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    said = ""
    while "until Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    found = re.search(r"Serving (http://\S+/) until", said)
    assert found is not None
    yield process, found[1]
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_it_serves_until_told_to_stop(serving: tuple[subprocess.Popen[str], str]) -> None:
    """After the table the page and REST answer; a stop ends it in a few seconds with 0."""
    process, url = serving

    studies = httpx.get(f"{url}v1/studies", trust_env=False).json()
    assert 1 == len(studies["studies"] if isinstance(studies, dict) else studies), json.dumps(
        studies
    )
    assert 200 == httpx.get(url, trust_env=False).status_code

    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert 0 == process.wait(timeout=20)
    assert time.monotonic() - started < 15


def test_a_taken_default_port_gives_way(tmp_path: Path) -> None:
    """If another program holds port 11112, the demo says so and takes a free one."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        taken = door.getsockname()[1]
        console = Console(record=True, file=io.StringIO())
        settings = Settings(listener=ListenerSettings(port=taken))

        given = demo_settings(settings, Wishes(http_port=0), tmp_path, console)

    assert (0, 0) == (given.listener.port, given.http.port)
    assert f"DICOM port {taken} is taken" in console.export_text()


def test_a_port_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    """Who names a port gets it or an error, never another one."""
    given = demo_settings(
        Settings(), Wishes(dicom_port=104, http_port=81), tmp_path, Console(quiet=True)
    )

    assert (104, 81) == (given.listener.port, given.http.port)
