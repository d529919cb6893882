"""What it costs to hold associations open, and what memory cines take."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import UltrasoundMultiFrameImageStorage

from loadtests import objects, servers

N_IDLE = 200
WATCH_SECONDS = 30.0
N_CINE_CARTS = 4


def association_request() -> bytes:
    """Return the bytes of an A-ASSOCIATE-RQ for Verification (PS3.8 9.3.2)."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "IDLE", "SONOGATE"
    context = build_context("1.2.840.10008.1.1")
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    primitive.user_information = [length]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def open_idle(port: int, n: int) -> list[socket.socket]:
    """Open n associations and leave them alone."""
    request, held = association_request(), []
    for _ in range(n):
        held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        held[-1].sendall(request)
        answer = held[-1].recv(10_000)
        if answer[:1] != b"\x02":
            raise RuntimeError("the association was not accepted")
    return held


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(server: servers.Server) -> float:
    """Return the share of a core that each of the idle associations costs, above an idle server."""
    time.sleep(3)
    before = cpu_seconds(server.pid)
    time.sleep(WATCH_SECONDS)
    alone = cpu_seconds(server.pid) - before
    held = open_idle(server.port, N_IDLE)
    time.sleep(1)
    before = cpu_seconds(server.pid)
    time.sleep(WATCH_SECONDS)
    used = cpu_seconds(server.pid) - before
    for each in held:
        each.close()
    return max(0.0, used - alone) / WATCH_SECONDS / N_IDLE


def report(folder: Path) -> list[str]:
    """Return the section on idle associations."""
    lines = [
        f"## {N_IDLE} associations held open\n",
        "| server | % of a core per idle association |",
        "| --- | --- |",
    ]
    for name in ("gate", "bare"):
        place = folder / f"idle-{name}"
        place.mkdir()
        with servers.SERVERS[name](place) as server:
            lines.append(f"| {server.name} | {100 * cost(server):.4f} |")
    return [*lines, "\nTarget: at most 0.05 % of a core each.\n"]


def send_cine(port: int, ds: Dataset) -> None:
    """Send one cine over its own association."""
    ae = AE(ae_title="CINE")
    ae.maximum_pdu_size = 0
    ae.add_requested_context(UltrasoundMultiFrameImageStorage)
    assoc = ae.associate("127.0.0.1", port, ae_title="SONOGATE")
    status = assoc.send_c_store(ds)
    assoc.release()
    if status.Status != 0:
        raise RuntimeError(f"C-STORE status {status.Status:04X}")


def memory_report(folder: Path) -> list[str]:
    """Return the section on memory: four carts send 50 MB cines at once."""
    place = folder / "memory"
    place.mkdir()
    cines = []
    for seed in range(N_CINE_CARTS):
        ds = objects.cine(seed)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        cines.append(ds)
    with servers.gate(place) as server:
        with ThreadPoolExecutor(N_CINE_CARTS) as carts:
            list(carts.map(lambda ds: send_cine(server.port, ds), cines))
        peak = peak_bytes(server.pid)
    return [
        "## Memory\n",
        f"Peak resident memory of the gate process with {N_CINE_CARTS} carts sending 50 MB cines "
        f"at once: {peak / 1e6:.0f} MB (target: under 300 MB).\n",
    ]


def peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc")
