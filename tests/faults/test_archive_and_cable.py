"""An archive that is down, hangs, crawls or hangs up, and a cable that is pulled mid-object.

The archive is Orthanc, stopped and started for real; the cable a pair of virtual network cards.
"""

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pynetdicom.dsutils import encode

from sonogate.settings import MIB
from tests.acceptance.archives import instances_in, is_up
from tests.acceptance.serving import Served
from tests.faults.cable import FAR, Cable, laid
from tests.faults.carts import SUCCESS, Exam, FaultCart
from tests.faults.standing import Standing, eventually, get, grown, metric, standing, warm_up
from tests.faults.wire import FaultyWire, Mood
from tests.integration.forwarding import orthanc_config
from tests.ports import free_port
from tests.service.receive.door import associate_rq, message, store_rq

LONG_SECONDS = float(os.environ.get("SONOGATE_FAULT_SECONDS", "0"))
HOLD_SECONDS = LONG_SECONDS or 1.5
"""How long the archive is away, and the cable out; longer than it may take over an answer."""
ANSWER_SECONDS = 1.0
PROGRESS_SECONDS = 1.0
FAR_PORT = 11199
DESTINATIONS = """janitor_seconds = 1
[scoring]
workers = 1
[[forward.destinations]]
name = "pacs"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
retry_max_seconds = 1
answer_seconds = {answer}
[[forward.destinations]]
name = "far"
host = "{far_host}"
port = {far_port}
ae_title = "FAR"
retry_max_seconds = 1
answer_seconds = {answer}
"""
LISTENER = {
    "SONOGATE_LISTENER__HOST": "0.0.0.0",  # noqa: S104 - two senders are admitted
    "SONOGATE_LISTENER__ARTIM_SECONDS": "1",
    "SONOGATE_LISTENER__PDU_PROGRESS_SECONDS": str(PROGRESS_SECONDS),
    "SONOGATE_LISTENER__SENDERS": '[{"ae_title": "CART1"}, {"ae_title": "CART"}]',
}

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
class Orthanc:
    """An archive that can be killed, stopped in its tracks and started again."""

    tool: str
    folder: Path
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its REST is."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = orthanc_config(self.folder, self.dicom_port, self.http_port)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([self.tool, str(config)], stdout=quiet, stderr=quiet)
        assert eventually(lambda: is_up(f"{self.url}/system"), 60)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Site:
    """A gate between a cart and two archives."""

    served: Served
    orthanc: Orthanc
    wire: FaultyWire
    cable: Cable | None
    far_wire: FaultyWire
    cart: FaultCart
    exam: Exam = field(default_factory=Exam)
    usual: Standing | None = None

    def owed_to(self, name: str) -> int:
        """How much a destination has not got yet."""
        found = self.served.get("/v1/destinations")
        return int(next(each["owed"] for each in found if each["name"] == name))

    def leaked(self) -> dict[str, tuple[int, int]]:
        """Return what the gate holds more than before the first fault."""
        assert self.usual is not None
        return grown(self.served, self.usual, len(self.exam.large_uids & self.cart.acknowledged))

    def pull(self) -> None:
        """Cut the way to what is far."""
        if self.cable is None:
            self.far_wire.mood = "silent"
        else:
            self.cable.pull()

    def plug(self) -> None:
        """Mend it."""
        if self.cable is None:
            self.far_wire.mood = "well"
        else:
            self.cable.plug()

    @property
    def way(self) -> str:
        """How the cable is cut."""
        return "a relay falls silent" if self.cable is None else "veth between namespaces, down"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, need_tool: Callable[[str], str]
) -> Iterator[Site]:
    """A gate that has passed some objects on."""
    folder = tmp_path_factory.mktemp("archive")
    with ExitStack() as stack:
        cable = stack.enter_context(laid())
        orthanc = Orthanc(need_tool("Orthanc"), folder / "pacs")
        stack.callback(orthanc.kill)
        orthanc.start()
        wire = stack.enter_context(FaultyWire(orthanc.dicom_port))
        far_wire = stack.enter_context(FaultyWire(FAR_PORT))
        served = Served(
            folder,
            environment=LISTENER,
            extra_toml=DESTINATIONS.format(
                port=wire.port,
                answer=ANSWER_SECONDS,
                far_host=FAR if cable else "127.0.0.1",
                far_port=FAR_PORT if cable else far_wire.port,
            ),
        )
        stack.callback(served.stop)
        served.start()
        site = Site(served, orthanc, wire, cable, far_wire, FaultCart(served.dicom_port))
        assert site.cart.send(site.exam.more(8)) == []
        assert eventually(lambda: site.owed_to("pacs") == 0)
        warm_up(served)
        site.usual = standing(served, len(site.exam.large_uids))
        yield site


def away(site: Site) -> None:
    """The archive dies, and is started again."""
    site.orthanc.kill()
    time.sleep(HOLD_SECONDS)
    site.orthanc.start()


def hanging(site: Site) -> None:
    """The archive stands still, then goes on."""
    site.orthanc.signal(signal.SIGSTOP)
    time.sleep(HOLD_SECONDS)
    site.orthanc.signal(signal.SIGCONT)


def on_a_wire(mood: Mood) -> Callable[[Site], None]:
    """The wire to the archive is moody for a while."""

    def fault(site: Site) -> None:
        site.wire.mood = mood
        time.sleep(HOLD_SECONDS)
        site.wire.mood = "well"

    return fault


FAULTS: dict[str, Callable[[Site], None]] = {
    "down": away,
    "standing still": hanging,
    "resetting": on_a_wire("torn"),
    "slow": on_a_wire("slow"),
    "silent": on_a_wire("silent"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_failing_archive_is_waited_for(site: Site, name: str) -> None:
    """Carts notice nothing; afterwards the archive gets what it is owed, without a restart."""
    site.cart.answers.clear()
    assert site.cart.send(site.exam.more(8)) == []
    FAULTS[name](site)
    assert site.cart.send(site.exam.more(4)) == []
    started = time.monotonic()
    has_all = eventually(lambda: site.owed_to("pacs") == 0)
    print(f"archive {name}: all passed on {time.monotonic() - started:.1f} s later")  # noqa: T201

    assert {SUCCESS} == set(site.cart.answers)
    assert has_all
    assert {} == site.leaked()


def test_the_archive_has_each_object_once(site: Site) -> None:
    """Orthanc itself is asked."""
    found = Counter(instances_in(site.orthanc.url).values())
    print(f"{len(site.cart.acknowledged)} acknowledged, {len(found)} in Orthanc")  # noqa: T201

    assert dict.fromkeys(site.cart.acknowledged, 1) == dict(found)


def test_a_cable_cut_under_a_cart_is_noticed(site: Site) -> None:
    """Half an object arrives and then nothing: given up in time; the same object is kept later."""
    (instance,) = site.exam.more(1)
    content = encode(instance, False, True) or b""  # noqa: FBT003 - pynetdicom's own order
    content += bytes(6 * MIB)
    said = message(store_rq(str(instance.SOPInstanceUID)), content)
    n_lost = ended(site, "timed_out")
    with ExitStack() as stack:
        if site.cable is None:
            wire = stack.enter_context(FaultyWire(site.served.dicom_port))
            peer = stack.enter_context(socket_to(wire.port))
        else:
            peer = stack.enter_context(site.cable.connect(site.served.dicom_port))
        peer.sendall(associate_rq())
        assert peer.recv(1) == b"\x02"
        peer.sendall(said[: len(said) * 4 // 5])
        assert eventually(lambda: metric(site.served, "sonogate_associations") == 1)
        site.pull()
        started = time.monotonic()
        noticed = eventually(lambda: ended(site, "timed_out") > n_lost)
        seconds = time.monotonic() - started
        leaked = site.leaked()
    site.plug()
    print(f"cable cut under a cart ({site.way}): noticed in {seconds:.1f} s")  # noqa: T201

    assert noticed
    assert PROGRESS_SECONDS / 2 < seconds < PROGRESS_SECONDS + 5
    assert {} == leaked
    assert 404 == get(site.served.url(f"/v1/instances/{instance.SOPInstanceUID}"))[0]
    assert [] == site.cart.send([instance])


def ended(site: Site, how: str) -> float:
    """Return how many associations ended so."""
    line = f'sonogate_associations_ended_total{{result="{how}"}}'
    return metric(site.served, line)


def socket_to(port: int) -> socket.socket:
    """Call a port of this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def test_a_cable_cut_under_an_archive_is_waited_out(
    site: Site, need_tool: Callable[[str], str], tmp_path: Path
) -> None:
    """`storescp` at the far end gets every object, though the cable was out under one of them."""
    there = site.cable.at_the_far_end if site.cable else []
    command = [*there, need_tool("storescp"), "-aet", "FAR", "-od", str(tmp_path), str(FAR_PORT)]
    archive = subprocess.Popen(command)
    try:
        assert eventually(lambda: any(tmp_path.iterdir()))
        archive.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        site.pull()
        archive.send_signal(signal.SIGCONT)
        time.sleep(HOLD_SECONDS)
        n_then = len(list(tmp_path.iterdir()))
        site.plug()
        started = time.monotonic()
        has_all = eventually(lambda: site.owed_to("far") == 0, 60)
    finally:
        archive.kill()
        archive.wait()
    names = [path.name for path in tmp_path.iterdir()]
    print(  # noqa: T201
        f"cable cut under storescp ({site.way}): {n_then} of {len(names)} there then, "
        f"all {time.monotonic() - started:.1f} s after"
    )

    assert has_all
    assert n_then < len(names)
    assert [] == [uid for uid in site.cart.acknowledged if not any(uid in each for each in names)]
    assert {} == site.leaked()
