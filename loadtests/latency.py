"""Last byte sent to verdict published, as a watcher sees it, beside bare read and score."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import UltrasoundImageStorage

from loadtests import objects, servers
from sonogate.domain.instance import MediaType
from sonogate.domain.job import Job
from sonogate.settings import ScoringSettings
from sonogate.worker import Examiner

N_STILLS = 40
PAUSE_SECONDS = 0.05
"""Between a verdict and the next still: the gate is idle again."""
VERDICT_SECONDS = 30.0


def bare_seconds(path: Path, n: int) -> list[float]:
    """Time read and score of one object, again and again, in this process."""
    examiner = Examiner.open(ScoringSettings())
    job = Job(object_id="bare", path=str(path), media_type=MediaType.DICOM)
    examiner.examine(job)
    times = []
    for _ in range(n):
        started = time.perf_counter()
        examiner.examine(job)
        times.append(time.perf_counter() - started)
    return times


class Watcher(threading.Thread):
    """Reads the event stream and notes when each instance's verdict came."""

    def __init__(self, http_port: int) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=60)
        self._connection.request("GET", "/v1/events")
        self._answer = self._connection.getresponse()
        self._seen = threading.Condition()
        self._times: dict[str, float] = {}

    def run(self) -> None:
        """Read until the connection ends."""
        while line := self._answer.readline():
            if line.startswith(b"data:"):
                self._note(json.loads(line[5:]), time.perf_counter())

    def seen_at(self, uid: str) -> float:
        """Return when the verdict of an instance came, once it did."""
        with self._seen:
            if not self._seen.wait_for(lambda: uid in self._times, VERDICT_SECONDS):
                raise TimeoutError(f"no verdict of {uid}")
            return self._times[uid]

    def _note(self, body: dict[str, object], now: float) -> None:
        verdict = body.get("verdict")
        if body.get("kind") == "verdict" and isinstance(verdict, dict):
            with self._seen:
                self._times[str(verdict["sop_instance_uid"])] = now
                self._seen.notify_all()


@contextmanager
def cart(port: int) -> Iterator[tuple[Association, dict[str, float]]]:
    """Open an association that notes when it last sent bytes."""
    sent = {"at": 0.0}

    def note(_event: evt.Event) -> None:
        sent["at"] = time.perf_counter()

    ae = AE(ae_title="LATENCY")
    ae.add_requested_context(UltrasoundImageStorage, JPEGBaseline8Bit)
    association = ae.associate(
        "127.0.0.1", port, ae_title="SONOGATE", evt_handlers=[(evt.EVT_DATA_SENT, note)]
    )
    try:
        yield association, sent
    finally:
        association.release()


def gate_seconds(server: servers.Server, ds: Dataset, n: int) -> list[float]:
    """Send stills one by one to an idle gate; time each from its last byte to its event."""
    watcher = Watcher(server.http_port)
    watcher.start()
    times = []
    with cart(server.port) as (association, sent):
        for _ in range(n):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            association.send_c_store(ds)
            last_byte = sent["at"]
            times.append(watcher.seen_at(str(ds.SOPInstanceUID)) - last_byte)
            time.sleep(PAUSE_SECONDS)
    return times


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by the nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def report(folder: Path, rounds: int) -> list[str]:
    """Return the section on latency."""
    lines = [
        "## Last byte to verdict published, idle gate\n",
        "From the last byte that the cart sent to the event that a watcher of `/v1/events` read; "
        f"{N_STILLS} stills a round.\n",
        "| still | | p50 ms | p95 ms | p99 ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    overs = []
    stills = {"speckle": objects.jpeg_still(), "phantom exam": objects.phantom_still()}
    for name, ds in stills.items():
        bare, gate = paired(folder, name.replace(" ", "-"), ds, rounds)
        lines += [
            table_row(name, "bare read + score", bare),
            table_row(name, "SonoGate", gate),
        ]
        over = statistics.median(
            percentile(own, 0.95) - 1.5 * percentile(floor, 0.95)
            for own, floor in zip(gate, bare, strict=True)
        )
        overs.append(f"p95 of SonoGate minus 1.5 x p95 of bare, {name}: {1000 * over:.1f} ms")
    return [*lines, "", *overs, "", "Target: at most 50 ms.\n"]


def paired(
    folder: Path, name: str, ds: Dataset, rounds: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Time the bare model and a gate in turn; return seconds by round."""
    path = objects.save(ds, folder / f"{name}.dcm")
    bare, gate = [], []
    for turn in range(rounds):
        bare.append(bare_seconds(path, N_STILLS))
        place = folder / f"latency-{name}{turn}"
        place.mkdir()
        with servers.gate(place) as server:
            gate_seconds(server, ds, 3)
            gate.append(gate_seconds(server, ds, N_STILLS))
    return bare, gate


def table_row(still: str, name: str, runs: list[list[float]]) -> str:
    """Return one row: the median over rounds of each percentile."""
    cells = [
        1000 * statistics.median(percentile(run, share) for run in runs)
        for share in (0.5, 0.95, 0.99)
    ]
    return f"| {still} | {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"
