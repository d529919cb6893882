"""The doctor: each line says in plain words what is the case and, if it is wrong, what to do."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonogate.doctor import disk, doors
from sonogate.doctor.check import Check, Level, fail
from sonogate.doctor.model import runtime_check, trace_net_check
from sonogate.errors import ModelError
from sonogate.read.traces import find
from sonogate.settings import (
    GIB,
    HttpSettings,
    ListenerSettings,
    ScoringSettings,
    Settings,
    SpoolSettings,
)
from sonogate.worker import Examiner
from sonoquality.zoo import default_zoo


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which something listens that is no gate."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield int(door.getsockname()[1])


def settings_with(folder: Path, **sections: object) -> Settings:
    """Settings over a folder, on ports of nobody."""
    base = {"listener": ListenerSettings(port=0), "http": HttpSettings(port=0)}
    return Settings.model_validate({"data_dir": folder, **base, **sections})


def named(checks: Iterator[Check], name: str) -> Check:
    """Return the line of this name."""
    return next(check for check in checks if check.name == name)


def test_the_disk_is_really_written_and_timed(tmp_path: Path) -> None:
    """The fsync line has a time, and nothing is left behind."""
    checks = list(disk.checks(settings_with(tmp_path / "not" / "yet")))

    sync = named(iter(checks), "fsync")
    assert sync.level in (Level.OK, Level.WARN)
    assert "ms" in sync.said
    assert [] == list(tmp_path.iterdir())


def test_too_little_room_fails_with_the_answer_carts_will_get(tmp_path: Path) -> None:
    """Below the reserve the gate refuses; the doctor says so before a cart does."""
    spool = SpoolSettings(min_free_bytes=10**9 * GIB)
    room = named(disk.checks(settings_with(tmp_path, spool=spool)), "disk room")

    assert Level.FAIL == room.level
    assert "0xA700" in room.said
    assert "spool.min_free_bytes" in room.remedy


@pytest.mark.parametrize(
    ("kind", "level"), [("tmpfs", Level.WARN), ("nfs4", Level.WARN), ("ext4", Level.OK)]
)
def test_a_folder_in_memory_or_on_a_share_is_warned_of(
    tmp_path: Path, kind: str, level: Level
) -> None:
    """What would not survive a power cut, or locks badly, is named; the deepest mount counts."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb /srv/gate {kind} rw 0 0\nc /srv/gatekeeper xfs rw 0 0\n")

    assert kind == disk.file_system_of(Path("/srv/gate/spool"), mounts)
    check = disk.file_system_check(settings_with(Path("/srv/gate")), Path("/srv/gate"), mounts)
    assert level == check.level


@pytest.mark.integration
def test_a_port_held_by_another_program_is_said(tmp_path: Path, taken_port: int) -> None:
    """Neither DICOM nor HTTP answers there: stop it, or take another port."""
    held = settings_with(tmp_path, http=HttpSettings(port=taken_port))

    http = named(doors.checks(held), "HTTP port")

    assert (Level.FAIL, "stop that program, or set http.port") == (http.level, http.remedy)


@pytest.mark.integration
def test_a_dicom_port_held_by_another_program_is_said_with_our_ae_title(
    tmp_path: Path, taken_port: int
) -> None:
    """It was asked for the gate's AE title, and did not answer to it."""
    listener = ListenerSettings(port=taken_port, ae_title="ROOM7")

    check = named(doors.checks(settings_with(tmp_path, listener=listener)), "DICOM port")

    assert (Level.FAIL, "stop that program, or set listener.port") == (check.level, check.remedy)
    assert check.said.endswith("does not answer a C-ECHO as ROOM7")


@pytest.mark.integration
def test_the_gates_own_listener_answers_a_c_echo(tmp_path: Path) -> None:
    """Without a running gate a listener is started for the check, and really answers."""
    check = named(doors.checks(settings_with(tmp_path)), "C-ECHO")

    assert Level.OK == check.level
    assert "a listener started for this check answered" in check.said


def test_beyond_loopback_without_senders_nobody_is_admitted(tmp_path: Path) -> None:
    """A gate that listens to all and admits none is most likely not meant."""
    listener = ListenerSettings(port=0, host="0.0.0.0")  # noqa: S104 - never bound here

    check = doors.ae_title_check(settings_with(tmp_path, listener=listener))

    assert Level.WARN == check.level
    assert "[[listener.senders]]" in check.remedy


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ({}, Level.FAIL),
        ({"onnxruntime": "1.31.1"}, Level.OK),
        ({"onnxruntime-gpu": "1.31.1"}, Level.OK),
        ({"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}, Level.FAIL),
    ],
)
def test_exactly_one_runtime_must_be_installed(found: dict[str, str], level: Level) -> None:
    """The two distributions fill one folder; both together break each other."""
    assert level == runtime_check(found).level


def test_a_trace_net_that_is_not_the_released_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers refuse to start on it; the doctor names the file and the remedy."""
    entry = shutil.copytree(default_zoo() / find.NET, tmp_path / find.NET)
    (entry / "model.onnx").write_bytes(b"another")
    monkeypatch.setattr(find, "default_zoo", lambda: tmp_path)
    find.trace_net.cache_clear()
    try:
        check = trace_net_check()
        with pytest.raises(ModelError, match="install the release again"):
            Examiner.open(ScoringSettings())
    finally:
        find.trace_net.cache_clear()

    assert Level.FAIL == check.level
    assert "model.onnx has SHA-256" in check.said
    assert "install the release again" == check.remedy


def test_a_line_is_for_people_and_for_programs() -> None:
    """The same check as one line and as JSON."""
    check = fail("disk room", "none left", "free some")

    assert "fail  disk room: none left -> free some" == check.to_line()
    assert {
        "name": "disk room",
        "level": "fail",
        "said": "none left",
        "remedy": "free some",
    } == json.loads(json.dumps(check.to_json()))
