"""A disk runs full as a door dies or stands still: what it kept is entered once there is room."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.serving import Served
from tests.faults.carts import OUT_OF_RESOURCES, Exam, FaultCart, sending
from tests.faults.small_disk import small_disk
from tests.faults.standing import get, without_grade

FULL_SECONDS = 3.0
RECOVERY_SECONDS = 60.0
ROOM = 4
"""In disks of one round: a quick cart sends so many large objects before and after."""
SETTINGS = "janitor_seconds = 1\nsegment_bytes = 65536\n[scoring]\nworkers = 1\n"

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # pynetdicom forgets the socket of a refused connection without closing it.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.mark.parametrize("ill", [signal.SIGKILL, signal.SIGSTOP])
def test_a_door_is_taken_over_on_a_full_disk(
    tmp_path: Path, need_tool: Callable[[str], str], ill: signal.Signals
) -> None:
    """Its segments wait for room in the database; nothing acknowledged is lost, doors answer."""
    exam = Exam()
    with small_disk(tmp_path / "data", need_tool, ROOM) as disk:
        served = Served(
            tmp_path,
            extra_toml=SETTINGS,
            environment=disk.environment,
            prefix=disk.prefix,
            processes=2,
            min_free_bytes=1,
        )
        write = served.write_config
        served.write_config = lambda: impatient(write())  # type: ignore[method-assign]
        served.start()
        cart = FaultCart(served.dicom_port)
        try:
            assert cart.send(exam.more(8)) == []
            before = served.door_ids()
            with sending(cart, exam) as sent:
                disk.fill()
                time.sleep(FULL_SECONDS / 3)
                for door in before:
                    os.kill(door, ill)
                time.sleep(FULL_SECONDS)
                live, _ = get(served.url("/health/live"))
                disk.free()
                wait_for_others(served, before)
            left = cart.send_until_kept(cart.unkept(sent), RECOVERY_SECONDS)
            print(f"{disk.kind}, {ill.name}: told {dict(cart.answers)}")  # noqa: T201
            ungraded = without_grade(served, cart.acknowledged, 300)
        finally:
            served.stop()
        said = (served.folder / "gate.log").read_text(errors="replace")

    assert 200 == live
    assert cart.answers[OUT_OF_RESOURCES] > 0
    assert [] == left
    assert {} == ungraded
    assert 2 <= said.count('"event": "door_taken_over"')
    assert "Traceback" not in said


def impatient(config: Path) -> Path:
    """Have doors that hang be found soon."""
    text = config.read_text()
    config.write_text(text.replace("[listener]\n", "[listener]\ndoor_silent_seconds = 2.0\n"))
    return config


def wait_for_others(served: Served, gone: list[int]) -> None:
    """Wait until two doors answer in place of those."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while len(set(served.door_ids()) - set(gone)) < 2 or set(gone) & set(served.door_ids()):
        assert time.monotonic() < deadline, "no doors in place of those that are gone"
        time.sleep(0.1)
