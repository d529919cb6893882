"""A disk that fails or crawls, a clock that jumps, carts that break off: one gate outlives all.

The disk and the clock are a preloaded library's (`injector.c`). The gate is never restarted, until
the end: what was acknowledged is asked for again from a new one.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from sonogate.receive.spool.folder import FREE_ROOM_SECONDS
from sonogate.testing import make_instance
from tests.acceptance.serving import Served
from tests.faults.aborts import Breaker
from tests.faults.carts import OUT_OF_RESOURCES, SUCCESS, Exam, FaultCart, sending
from tests.faults.faults import Faults, failing
from tests.faults.hook import Hook, hooked
from tests.faults.standing import (
    Standing,
    eventually,
    get,
    grown,
    metric,
    standing,
    warm_up,
    without_grade,
)

LONG_SECONDS = float(os.environ.get("SONOGATE_FAULT_SECONDS", "0"))
HOLD_SECONDS = LONG_SECONDS or 0.6
"""How long each fault lasts."""
N_ABORTS = int(os.environ.get("SONOGATE_ABORTS", "300"))
SETTLE_SECONDS = 3.0
RECOVERY_SECONDS = 15.0
"""In which a gate takes objects again after a fault: it looks at its disk every second."""
HOUR = 3600
SETTINGS = """janitor_seconds = 1
segment_bytes = 65536
[scoring]
workers = 1
[track]
settle_seconds = {settle}
[[webhooks]]
url = "http://127.0.0.1:{hook}/"
events = ["verdict"]
"""

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    # pynetdicom forgets the socket of a refused connection without closing it.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@dataclass
class Site:
    """A gate on a disk that can be made to fail, and who sends to it."""

    served: Served
    faults: Faults
    hook: Hook
    cart: FaultCart
    exam: Exam = field(default_factory=Exam)
    usual: Standing | None = None

    @property
    def n_large(self) -> int:
        """Large objects kept, each in a file of its own."""
        return len(self.exam.large_uids & self.cart.acknowledged)

    def leaked(self) -> dict[str, tuple[int, int]]:
        """Return what the gate holds more than before the first fault."""
        assert self.usual is not None
        return grown(self.served, self.usual, self.n_large)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> Iterator[Site]:
    """A gate that has taken some objects; it is asked for what it kept when all is over."""
    folder = tmp_path_factory.mktemp("faults")
    faults = Faults(folder, need_tool("gcc"))
    with hooked() as hook:
        served = Served(
            folder,
            environment=faults.environment | {"SONOGATE_LISTENER__KEEP_SECONDS": "5"},
            extra_toml=SETTINGS.format(hook=hook.port, settle=SETTLE_SECONDS),
        )
        served.start()
        site = Site(served, faults, hook, FaultCart(served.dicom_port))
        try:
            assert site.cart.send(site.exam.more(10)) == []
            warm_up(served)
            assert without_grade(served, site.cart.acknowledged) == {}
            site.usual = standing(served, site.n_large)
            yield site
        finally:
            served.stop()
            faults.close()


@dataclass(frozen=True)
class Fault:
    """Calls that fail, and what carts may be told meanwhile."""

    match: str
    how: Mapping[str, float]
    told: frozenset[str] = frozenset({SUCCESS})
    is_ready: bool = True


REFUSED = frozenset({OUT_OF_RESOURCES})
EVERYTHING = dict.fromkeys(("create", "write", "sync", "read", "unlink", "statvfs"), errno.EIO)
DISK = {
    "EIO on fsync of the spool": Fault("/data/spool", {"sync": errno.EIO}, REFUSED),
    "EIO on write to the spool": Fault("/data/spool", {"write": errno.EIO}, REFUSED),
    "ENOSPC on write to the spool": Fault("/data/spool", {"write": errno.ENOSPC}, REFUSED),
    "EDQUOT on write and truncate": Fault("/data/spool", {"write": errno.EDQUOT}, REFUSED),
    "no file left to open": Fault("/data/spool", {"create": errno.EMFILE}, REFUSED | {SUCCESS}),
    "write and unlink fail": Fault(
        "/data/spool/files", {"write": errno.EIO, "unlink": errno.EIO}, REFUSED | {SUCCESS}
    ),
    "the disk says not how full it is": Fault(
        "/data/spool", {"statvfs": errno.EIO}, REFUSED | {SUCCESS}, is_ready=False
    ),
    "EIO on fsync of the database": Fault("sonogate.db", {"sync": errno.EIO}),
    "EIO on write to the database": Fault("sonogate.db", {"write": errno.EIO}),
    "the database's disk is full": Fault("sonogate.db", {"write": errno.ENOSPC}),
    "the database can't be read": Fault("sonogate.db", {"read": errno.EIO, "create": errno.EIO}),
    "the log's disk is full": Fault("gate.log", {"write": errno.ENOSPC}),
    "everything fails": Fault("/data", EVERYTHING, REFUSED | {SUCCESS}, is_ready=False),
    "every call takes 0.1 s": Fault("/data", {"delay_seconds": 0.1}),
    "the spool's disk stands still": Fault("/data/spool", {"delay_seconds": 7}, REFUSED),
}


SHORT = (
    "EIO on fsync of the spool",
    "write and unlink fail",
    "EIO on write to the database",
    "the log's disk is full",
    "everything fails",
    "every call takes 0.1 s",
)


@pytest.mark.parametrize("name", DISK if LONG_SECONDS else SHORT)
def test_a_failing_disk_is_told_and_survived(site: Site, name: str) -> None:
    """Carts get a clear answer, the page goes on, and all is well soon after the fault."""
    fault, cart = DISK[name], site.cart
    cart.answers.clear()
    with (
        failing(site.faults, fault.match, **fault.how),
        sending(cart, site.exam, n_at_once=8) as sent,
    ):
        time.sleep(HOLD_SECONDS if fault.is_ready else max(HOLD_SECONDS, FREE_ROOM_SECONDS + 0.2))
        started = time.monotonic()
        live, _ = get(site.served.url("/health/live"))
        ready, _ = get(site.served.url("/health/ready"))
        seconds = time.monotonic() - started
    n_hits = site.faults.n_hits
    told = set(cart.answers)
    healed = time.monotonic()
    left = cart.send_until_kept(cart.unkept(sent), RECOVERY_SECONDS)
    healed = time.monotonic() - healed
    said = f"{name}: {n_hits} calls hit, told {dict(cart.answers)}, well again in {healed:.1f} s"
    print(said)  # noqa: T201 - a measurement

    assert n_hits > 0
    assert told
    assert told <= fault.told
    assert (200, 200 if fault.is_ready else 503) == (live, ready)
    assert seconds < 2
    assert [] == left
    assert {} == site.leaked()


def test_a_clock_set_back_stops_no_timer(site: Site) -> None:
    """Three hours back: a failed delivery is tried again, and a quiet study settles, in seconds."""
    assert {} == without_grade(site.served, site.cart.acknowledged, 600)
    site.hook.is_sick = True
    study = site.exam.more(1)
    assert site.cart.send(study) == []
    uid = str(study[0].StudyInstanceUID)
    n_refused = site.hook.n_refused
    assert eventually(lambda: site.hook.n_refused > n_refused)
    n_steps = metric(site.served, "sonogate_clock_steps_total")
    site.faults.set_clock(-3 * HOUR)
    site.hook.is_sick = False
    started = time.monotonic()
    is_settled = eventually(lambda: status_of(site, uid) == "settled", 30)
    is_told = eventually(lambda: str(study[0].SOPInstanceUID) in site.hook.told, 30)
    print(f"clock -3 h: told and settled {time.monotonic() - started:.1f} s later")  # noqa: T201

    assert (True, True) == (is_settled, is_told)
    assert n_steps + 1 == metric(site.served, "sonogate_clock_steps_total")
    assert {} == site.leaked()


def test_a_clock_set_forwards_ends_no_quiet_time(site: Site) -> None:
    """Five hours on: a study goes on receiving for as long as it should, then it settles."""
    first, second = site.exam.more(2)
    assert site.cart.send([first]) == []
    uid = str(first.StudyInstanceUID)
    assert eventually(lambda: status_of(site, uid) == "receiving")
    site.faults.set_clock(2 * HOUR)
    started = time.monotonic()
    while time.monotonic() - started < SETTLE_SECONDS / 2:
        assert status_of(site, uid) == "receiving"
        time.sleep(0.2)
    assert site.cart.send([second]) == []
    assert eventually(lambda: status_of(site, uid) == "settled")
    site.faults.set_clock(0)


def status_of(site: Site, study_uid: str) -> str:
    """Where a study stands; nothing while the gate does not know it."""
    code, _body = get(site.served.url(f"/v1/studies/{study_uid}"))
    return str(site.served.get(f"/v1/studies/{study_uid}")["status"]) if code == 200 else ""


def test_aborted_associations_leave_nothing(site: Site) -> None:
    """Between broken associations a good one keeps its objects; nothing is left of the others."""
    large = make_instance(height=600, width=800)
    breaker = Breaker(site.served.dicom_port, large, seed=5)
    with sending(site.cart, site.exam, n_at_once=2) as sent:
        for number in range(N_ABORTS):
            breaker.break_off(number)
    print(f"{N_ABORTS} broken off: {dict(breaker.ends)}; {len(sent)} sent beside them")  # noqa: T201
    ended = eventually(lambda: metric(site.served, "sonogate_associations") == 0, 60)

    assert ended
    assert [] == site.cart.unkept(sent)
    assert 404 == get(site.served.url(f"/v1/instances/{large.SOPInstanceUID}"))[0]
    assert {} == site.leaked()


def test_all_that_was_acknowledged_is_there_after_a_restart(site: Site) -> None:
    """A gate started anew on the same disk has and has judged every one."""
    before = without_grade(site.served, site.cart.acknowledged, 600)
    site.served.stop()
    said = (site.served.folder / "gate.log").read_text(errors="replace")
    site.served.start()
    after = without_grade(site.served, site.cart.acknowledged, 600)
    print(f"{len(site.cart.acknowledged)} acknowledged, {len(after)} lost")  # noqa: T201

    assert ({}, {}) == (before, after)
    assert "Traceback" not in said
