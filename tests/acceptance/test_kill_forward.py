"""Kill the gate while it passes objects on: the archive ends with each acknowledged one, once."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served, free_port
from tests.acceptance.slow_wire import slow_wire
from tests.acceptance.test_kill import PATIENCE_SECONDS, Pace, kill_at_random, push_until_done
from tests.integration.forwarding import orthanc_config

SHARE = 12
"""Objects pushed between two kills."""
DESTINATION = """
[[forward.destinations]]
name = "pacs"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
retry_max_seconds = 1
"""

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@contextmanager
def orthanc(tool: str, folder: Path, dicom_port: int) -> Iterator[str]:
    """Run Orthanc as an archive for the time of the block; yield its URL."""
    http_port = free_port()
    process = subprocess.Popen(
        [tool, str(orthanc_config(folder, dicom_port, http_port))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{http_port}"
    try:
        deadline = time.monotonic() + 60
        while not is_up(f"{url}/system") and time.monotonic() < deadline:
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def is_up(url: str) -> bool:
    """Ask whether a server answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def fetch(url: str) -> bytes:
    """Return what is at an address."""
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def instances_in(url: str) -> dict[str, str]:
    """Return Orthanc's id of every instance with its SOP Instance UID."""
    found = json.loads(fetch(f"{url}/instances?expand"))
    return {each["ID"]: each["MainDicomTags"]["SOPInstanceUID"] for each in found}


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.timeout(3600)
def test_kills_leave_one_instance_of_each_in_the_archive(
    need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """What was acknowledged is in Orthanc exactly once, with its own pixels; nothing is owed."""
    n_kills = int(os.environ.get("SONOGATE_FORWARD_KILLS", "5"))
    exam: list[Any] = [make_instance(seed=seed, height=64, width=64) for seed in range(6)]
    exam = [with_new_uid(exam[number % 6]) for number in range(SHARE * n_kills)]
    dicom_port = free_port()
    archive = orthanc(need_tool("Orthanc"), tmp_path / "pacs", dicom_port)
    with archive as url, slow_wire(dicom_port) as wire:
        served = Served(tmp_path, extra_toml=DESTINATION.format(port=wire.port))
        served.start()
        pace, stop = Pace(SHARE), threading.Event()
        cart = Cart(served.dicom_port, pace=pace.wait)
        pace.carts = [cart]
        thread = threading.Thread(target=push_until_done, args=(cart, exam, stop))
        try:
            thread.start()
            kill_at_random(served, n_kills, pace)
            thread.join(PATIENCE_SECONDS)
            wait_until_nothing_is_owed(served)
        finally:
            stop.set()
            pace.quota = float("inf")
            served.stop()
            thread.join()
        found = instances_in(url)
        pixels = {uid: fetch(f"{url}/instances/{each}/file") for each, uid in found.items()}
    print(f"{n_kills} kills, {len(cart.acknowledged)} acknowledged, {len(found)} in Orthanc")  # noqa: T201

    assert len(exam) == len(cart.acknowledged)
    assert dict.fromkeys(cart.acknowledged, 1) == dict(Counter(found.values()))
    assert not [each for each in exam if each.PixelData not in pixels[str(each.SOPInstanceUID)]]


def with_new_uid(instance: Any) -> Any:
    """Return a copy that is an instance of its own."""
    copy = make_instance(height=8, width=8, study_uid=instance.StudyInstanceUID)
    copy.Rows, copy.Columns, copy.PixelData = instance.Rows, instance.Columns, instance.PixelData
    return copy


def wait_until_nothing_is_owed(served: Served) -> None:
    """Wait until the archive has everything, or until nothing happens any more."""
    n_before, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        (pacs,) = served.get("/v1/destinations")
        if not pacs["owed"] + pacs["refused"]:
            return
        if pacs["owed"] != n_before:
            n_before, deadline = pacs["owed"], time.monotonic() + PATIENCE_SECONDS
        time.sleep(0.2)
