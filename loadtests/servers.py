"""The servers under test, each in its own process on a free port and a real disk."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.ports import free_port

START_SECONDS = 60.0
NODELAY = {"TCP_NODELAY": "1"}


@dataclass(frozen=True)
class Server:
    """A running Storage SCP."""

    name: str
    port: int
    pid: int
    http_port: int = 0


def tool(name: str) -> str | None:
    """Find a system tool, never the virtual environment's namesake."""
    return shutil.which(name, path="/usr/bin:/usr/sbin")


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the time of the block."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=os.environ | NODELAY
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until something accepts connections on the port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError((folder / "server.log").read_text(errors="replace")[-2000:])


def wait_until_ready(http_port: int) -> None:
    """Wait until the gate's scoring workers have loaded their model: no start is measured."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{http_port}/health/ready", timeout=5).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the gate was not ready within {START_SECONDS} s")


@contextmanager
def gate(folder: Path, max_unjudged: int = 20_000, processes: int = 1) -> Iterator[Server]:
    """SonoGate with two scoring workers; `processes` answer the DICOM port."""
    port, http_port = free_port(), free_port()
    config = folder / "sonogate.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\n[listener]\nport = {port}\n'
        f"processes = {processes}\nmax_sender_associations = 500\n"
        "sender_associations_per_minute = 100000\n"
        f"[http]\nport = {http_port}\n"
        f"[spool]\nmin_free_bytes = 100000000\nmax_unjudged = {max_unjudged}\n"
        '[log]\nlevel = "warning"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sonogate", "serve", "--config", str(config)]
    with running(command, folder) as process:
        wait_for(port, process, folder)
        wait_until_ready(http_port)
        yield Server("SonoGate", port, process.pid, http_port)


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """Pynetdicom's server saying Success and keeping nothing."""
    port = free_port()
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, str(root / "loadtests" / "baseline.py"), str(port)]
    with running(command, folder) as process:
        wait_for(port, process, folder)
        yield Server("bare pynetdicom (keeps nothing)", port, process.pid)


@contextmanager
def storescp(folder: Path) -> Iterator[Server]:
    """DCMTK storescp; it does not fsync."""
    port = free_port()
    kept = folder / "kept"
    kept.mkdir()
    command = [tool("storescp") or "storescp", "--fork", "+xa", "+uf", "-od", str(kept), str(port)]
    with running(command, folder) as process:
        wait_for(port, process, folder)
        yield Server("DCMTK storescp (no fsync)", port, process.pid)


@contextmanager
def orthanc(folder: Path) -> Iterator[Server]:
    """Orthanc with its defaults: fsync on."""
    port, http_port = free_port(), free_port()
    config = folder / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "db"),
                "IndexDirectory": str(folder / "db"),
                "DicomPort": port,
                "HttpPort": http_port,
                "DicomAlwaysAllowStore": True,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "Plugins": [],
            }
        ),
        encoding="utf-8",
    )
    with running([tool("Orthanc") or "Orthanc", str(config)], folder) as process:
        wait_for(port, process, folder)
        yield Server("Orthanc (fsync)", port, process.pid, http_port)


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "gate": gate,
    "gate, 2 processes": partial(gate, processes=2),
    "bare": bare,
    "storescp": storescp,
    "orthanc": orthanc,
}
