"""Last byte to verdict judged (not yet recorded), beside bare read and score in one process."""

import json
import statistics
import time
import urllib.request
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundImageStorage

from loadtests import objects, servers
from sonogate.domain.instance import MediaType
from sonogate.domain.job import Job
from sonogate.settings import ScoringSettings
from sonogate.worker import Examiner

N_STILLS = 40


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


def gate_seconds(server: servers.Server, ds: Dataset, n: int) -> list[float]:
    """Send stills one by one to an idle gate; return the gate's own last byte to verdict."""
    ae = AE(ae_title="LATENCY")
    ae.add_requested_context(UltrasoundImageStorage, JPEGBaseline8Bit)
    assoc = ae.associate("127.0.0.1", server.port, ae_title="SONOGATE")
    times = []
    for _ in range(n):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        assoc.send_c_store(ds)
        times.append(wait_for_verdict(server, str(ds.SOPInstanceUID)))
    assoc.release()
    return times


def wait_for_verdict(server: servers.Server, uid: str) -> float:
    """Return seconds.total of the verdict of an instance that was just acknowledged."""
    address = f"http://127.0.0.1:{server.http_port}/v1/instances/{uid}"
    while True:
        with urllib.request.urlopen(address, timeout=10) as answer:
            verdict = json.load(answer)
        if verdict["status"] != "pending":
            return float(verdict["seconds"]["total"])
        time.sleep(0.01)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by the nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def report(folder: Path, rounds: int) -> list[str]:
    """Return the section on latency."""
    ds = objects.jpeg_still()
    path = objects.save(ds, folder / "still.dcm")
    bare, gate = [], []
    for turn in range(rounds):
        bare.append(bare_seconds(path, N_STILLS))
        place = folder / f"latency{turn}"
        place.mkdir()
        with servers.gate(place) as server:
            gate_seconds(server, ds, 3)
            gate.append(gate_seconds(server, ds, N_STILLS))
    lines = [
        "## Last byte to verdict, 84 kB JPEG stills, idle gate\n",
        "| | p50 ms | p95 ms | p99 ms |",
        "| --- | --- | --- | --- |",
    ]
    for name, runs in (("bare read + score", bare), ("SonoGate", gate)):
        cells = [
            1000 * statistics.median(percentile(run, share) for run in runs)
            for share in (0.5, 0.95, 0.99)
        ]
        lines.append(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    over = statistics.median(
        percentile(own, 0.95) - 1.5 * percentile(floor, 0.95)
        for own, floor in zip(gate, bare, strict=True)
    )
    lines += [
        f"\np95 of SonoGate minus 1.5 x p95 of bare: {1000 * over:.1f} ms (target: at most 50).\n"
    ]
    return lines
