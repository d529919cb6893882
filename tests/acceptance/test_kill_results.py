"""Kill the gate while it makes and sends results: the archive ends with one of each version."""

import asyncio
import json
import os
import random
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sonogate.testing import make_instance
from tests.acceptance.cart import Cart
from tests.acceptance.serving import Served
from tests.integration.forwarding import instances_in, orthanc
from tests.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.acceptance, pytest.mark.slow]
KILL_AFTER = (0.3, 1.7)
"""From the change that asks for results, in parts of the time that the first ones took."""
TOML = """
[scoring]
workers = 1
[results]
enabled = true
objects = ["report", "rejection"]
delay_seconds = 0.05
[[forward.destinations]]
name = "pacs"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
results = true
retry_max_seconds = 1.0
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gate to be killed, and the port of its archive in its settings."""
    gate = Served(tmp_path)
    yield gate
    gate.stop()


def ask(served: Served, method: str, path: str, body: Any = None) -> Any:
    """Ask for a change."""
    request = urllib.request.Request(  # noqa: S310 - our own gate
        served.url(path),
        data=json.dumps(body or {}).encode(),
        method=method,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def wait_for(is_so: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)


async def test_results_outlive_kills(
    served: Served, tmp_path: Path, need_tool: Callable[[str], str]
) -> None:
    """Each change asks for a version and is followed by SIGKILL: none is lost or there twice."""
    port, rng = free_port(), random.Random(3)
    n_kills = 2 * (int(os.environ.get("SONOGATE_RESULT_KILLS", "2")) // 2)
    served.extra_toml = TOML.format(port=port)
    image = make_instance(seed=3)
    uid, study_uid = str(image.SOPInstanceUID), str(image.StudyInstanceUID)

    def results() -> list[Any]:
        found: list[Any] = served.get(f"/v1/studies/{study_uid}/results")
        return found

    async with orthanc(need_tool("Orthanc"), tmp_path / "orthanc", port) as archive:
        served.start()
        assert Cart(served.dicom_port).push([image])
        wait_for(lambda: served.get(f"/v1/instances/{uid}")["status"] == "graded")
        ask(served, "POST", f"/v1/studies/{study_uid}/close")
        closed_at = time.monotonic()
        wait_for(lambda: bool(results()))
        usual_seconds = time.monotonic() - closed_at
        for number in range(n_kills):
            if number % 2:
                ask(served, "DELETE", f"/v1/instances/{uid}/override", {"by": "dr"})
            else:
                wish = {"band": "low", "reason": "blurred", "by": "dr"}
                ask(served, "POST", f"/v1/instances/{uid}/override", wish)
            await asyncio.sleep(usual_seconds * rng.uniform(*KILL_AFTER))
            served.kill()
            served.start()
        wait_for(lambda: _is_settled(served, results()))
        made = [row["sop_instance_uid"] for row in results()]
        found = await instances_in(archive)
        reports = [row for row in results() if row["kind"] == "report"]
    print(f"\n{n_kills} kills, {len(made)} results made, {len(found)} instances in Orthanc")  # noqa: T201

    assert set(found.values()) == {1}
    assert len(made) == len(set(made))
    assert list(range(1, len(reports) + 1)) == [row["version"] for row in reports]
    assert [True] == [row["holds"] for row in reports if row["holds"]]
    assert set(found) <= {uid, *made}
    assert reports[-1]["sop_instance_uid"] in found
    assert uid in found
    assert not list((served.data_dir / "results").glob("*.part"))
    assert {f.name for f in (served.data_dir / "results").iterdir()} == _files(served)


def _is_settled(served: Served, rows: list[Any]) -> bool:
    """Whether the last change is said and sent: taken back, nothing is rejected any more."""
    if not rows or any(row["holds"] for row in rows if row["kind"] == "rejection"):
        return False
    (pacs,) = served.get("/v1/destinations")
    return bool(pacs["owed"] == 0) and not _owed(served)


def _owed(served: Served) -> set[str]:
    return _column(served, "SELECT study_instance_uid FROM owed_results")


def _files(served: Served) -> set[str]:
    return _column(served, "SELECT file_name FROM results")


def _column(served: Served, query: str) -> set[str]:
    with closing(sqlite3.connect(served.data_dir / "sonogate.db")) as database:
        return {value for (value,) in database.execute(query)}
