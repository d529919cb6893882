"""Kill anything at any moment: nothing acknowledged is lost, and each effect happens once.

Four carts push; the gate judges, tells a webhook receiver and passes everything on to two archives.
SIGKILL of the gate's process ends the thread that writes the database, the one that appends to the
spool, the listener, the delivery and the forwarder at once: they all live in it. The lighter model
that ships scores, so that the time goes into kills. SONOGATE_DOORS=2 has two processes receive;
they are among the victims then.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from sonogate.testing import make_instance
from tests.acceptance.archives import fetch, instances_in, noting, orthanc
from tests.acceptance.killing import Pace, kill_at_random, pushing, wait_while_it_falls
from tests.acceptance.receiver import effects, keys_of_many_bodies, receiving
from tests.acceptance.serving import Served
from tests.acceptance.slow_wire import SlowWire
from tests.ports import free_port

N_CARTS = 4
SHARE = 8
"""Objects pushed between two kills, or more if there are few kills."""
LEAST = 300
"""Objects pushed in all."""
N_DRAWN = 24
"""Different pictures; each goes under many UIDs."""
TOML = """
[scoring]
model = "dct-manifold/1.0.0"
[[webhooks]]
url = "http://127.0.0.1:{hook}/hook"
events = ["verdict"]
[[forward.destinations]]
name = "pacs"
host = "127.0.0.1"
port = {pacs}
ae_title = "PACS"
retry_max_seconds = 1
[[forward.destinations]]
name = "second"
host = "127.0.0.1"
port = {second}
ae_title = "PACS"
retry_max_seconds = 1
"""

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


# pynetdicom forgets the socket of a refused connection without closing it.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.timeout(3600)
def test_kills_lose_nothing_and_repeat_nothing_visible(
    need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """What was acknowledged has a verdict, one effect, and one instance in Orthanc."""
    n_kills = int(os.environ.get("SONOGATE_KILLS", "20"))
    exam = make_exam(max(LEAST, SHARE * n_kills))
    pacs, log = free_port(), tmp_path / "receiver.log"
    with (
        orthanc(need_tool("Orthanc"), tmp_path / "pacs", pacs) as url,
        SlowWire(pacs) as wire,
        noting() as (second, book),
        receiving(log, drop_every=max(20, len(exam) // 60)) as receiver,
    ):
        ports = {"hook": receiver.port, "pacs": wire.port, "second": second}
        doors = int(os.environ.get("SONOGATE_DOORS", "1"))
        served = Served(tmp_path, TOML.format(**ports), processes=doors)
        served.start()
        pace = Pace(len(exam) // n_kills)
        with pushing(served, exam, N_CARTS, pace) as finish:
            killed = kill_at_random(served, n_kills, pace)
            acknowledged = finish()
            statuses = verdicts_of(served, acknowledged)
            wait_while_it_falls(lambda: len(acknowledged - set(effects(receiver.requests()))))
            wait_while_it_falls(lambda: n_owed(served))
        requests = receiver.requests()
        found = instances_in(url)
        files = {uid: fetch(f"{url}/instances/{each}/file") for each, uid in found.items()}
    tell(killed, acknowledged, found, len(requests), book.times)

    assert len(exam) == len(acknowledged)
    assert {"graded": len(exam)} == dict(Counter(statuses.values()))
    assert dict.fromkeys(acknowledged, 1) == dict(effects(requests))
    assert [] == keys_of_many_bodies(requests)
    assert dict.fromkeys(acknowledged, 1) == dict(Counter(found.values()))
    assert [] == [
        each.SOPInstanceUID for each in exam if each.PixelData not in files[each.SOPInstanceUID]
    ]
    assert acknowledged == set(book.times)
    assert [] == book.of_many_contents()


def make_exam(n_objects: int) -> list[Dataset]:
    """Make instances of their own, few different pictures among them, a study for each share."""
    drawn = [make_instance(seed=seed, height=120, width=160) for seed in range(N_DRAWN)]
    studies = [generate_uid() for _ in range(0, n_objects, SHARE)]
    return [
        with_new_uid(drawn[number % N_DRAWN], studies[number // SHARE])
        for number in range(n_objects)
    ]


def with_new_uid(instance: Dataset, study_uid: str) -> Dataset:
    """Return a copy that is an instance of its own."""
    copy = make_instance(height=8, width=8, study_uid=study_uid)
    for keyword in ("Rows", "Columns", "SequenceOfUltrasoundRegions", "PixelData"):
        setattr(copy, keyword, instance[keyword].value)
    return copy


def verdicts_of(served: Served, uids: set[str]) -> dict[str, str]:
    """Return the status of every instance once none is pending, or nothing happens any more."""
    statuses = dict.fromkeys(uids, "pending")

    def n_pending() -> int:
        for uid in [uid for uid, status in statuses.items() if status == "pending"]:
            statuses[uid] = served.get(f"/v1/instances/{uid}")["status"]
        return Counter(statuses.values())["pending"]

    wait_while_it_falls(n_pending)
    return statuses


def n_owed(served: Served) -> int:
    """Return how many objects wait for their archives."""
    return sum(each["owed"] + each["refused"] for each in served.get("/v1/destinations"))


def tell(
    killed: Counter[str],
    acknowledged: set[str],
    found: dict[str, str],
    n_requests: int,
    times: Counter[str],
) -> None:
    """Print what was counted."""
    print(  # noqa: T201 - a measurement
        f"\n{killed.total()} kills {dict(killed)}, {len(acknowledged)} acknowledged, "
        f"{len(found)} in Orthanc, {n_requests} webhook requests, "
        f"{times.total()} C-STOREs to the second archive for {len(times)} objects"
    )
