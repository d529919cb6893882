"""Kill doors and their gate while carts push: nothing acknowledged is lost, no process is left."""

import json
import os
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.killing import Pace, pushing
from tests.acceptance.serving import Served
from tests.acceptance.test_kill import make_exam, verdicts_of

N_CARTS = 4
N_OBJECTS = 48
VICTIMS = ("door", "gate", "door", "door", "gate", "door")
TOML = """
[scoring]
model = "dct-manifold/1.0.0"
workers = 1
"""
GONE_SECONDS = 2.0

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_killed_doors_and_gates_lose_nothing(tmp_path: Path) -> None:
    """What was acknowledged at any door has its verdict after all; a gate's doors end with it."""
    exam = make_exam(N_OBJECTS)
    served = Served(tmp_path, TOML, processes=2)
    served.start()
    pace = Pace(N_OBJECTS // len(VICTIMS))
    with pushing(served, exam, N_CARTS, pace) as finish:
        for victim in VICTIMS:
            pace.quota += pace.share
            wait_for_doors(served)
            time.sleep(0.1)
            if victim == "door":
                os.kill(served.door_ids()[0], signal.SIGKILL)
            else:
                doors = served.door_ids()
                served.kill()
                assert [] == left_of(doors)
                served.start()
        pace.quota = float("inf")
        acknowledged = finish()
        statuses = verdicts_of(served, acknowledged)
        doors = served.door_ids()
    assert [] == left_of(doors)

    assert len(exam) == len(acknowledged)
    assert {"graded": len(exam)} == dict(Counter(statuses.values()))


def wait_for_doors(served: Served) -> None:
    """Wait until both doors answer: a gate one of whose doors dies before does not start."""
    deadline = time.monotonic() + 60
    while "2 of 2" not in said_of_doors(served) and time.monotonic() < deadline:
        time.sleep(0.05)


def said_of_doors(served: Served) -> str:
    """Return what /health/ready says of the DICOM port; "" if nothing yet."""
    try:
        with urllib.request.urlopen(served.url("/health/ready"), timeout=2) as answer:  # noqa: S310
            return str(json.load(answer)["checks"]["listener"]["detail"])
    except OSError:
        return ""


def left_of(process_ids: list[int]) -> list[int]:
    """Return which processes still run a moment later."""
    deadline = time.monotonic() + GONE_SECONDS
    while any(map(is_running, process_ids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [each for each in process_ids if is_running(each)]


def is_running(process_id: int) -> bool:
    """Whether a process is there and not just waiting to be reaped."""
    try:
        said = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return said.rpartition(")")[2].split()[0] != "Z"
