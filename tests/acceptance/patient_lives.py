"""Two lives of a gate with a patient in it, how they end, and what they leave behind."""

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.acceptance.canary import NAME, PATIENT_ID, seen_in_database, seen_in_files
from tests.acceptance.patient_day import PatientDay, upload_without_end
from tests.acceptance.serving import Served
from tests.integration.forwarding import Archive

DATABASE = "sonogate.db"
TOML = """
[log]
level = "debug"
[scoring]
workers = 1
model = "dct-manifold/1.0.0"
[results]
enabled = true
objects = ["report", "rejection"]
delay_seconds = 0.05
dcm4chee_url = "http://127.0.0.1:{ear}/dcm4chee-arc/aets/A/rs"
[commitment]
wait_seconds = 0.2
report_port = {dead}
[[webhooks]]
url = "http://127.0.0.1:{ear}/hook"
[[webhooks]]
url = "http://127.0.0.1:{dead}/hook"
[[mpps.forward_to]]
name = "ris"
host = "127.0.0.1"
port = {dead}
ae_title = "RIS"
[[forward.destinations]]
name = "dead"
host = "127.0.0.1"
port = {dead}
ae_title = "DEAD"
results = true
[[forward.destinations]]
name = "plain"
host = "127.0.0.1"
port = {pacs}
ae_title = "PACS"
results = true
[[forward.destinations]]
name = "web"
kind = "stow"
url = "http://127.0.0.1:{ear}/dicom-web"
"""
FAULTS = f"""
import sys
if "serve" in sys.orig_argv:
    import asyncio, signal, threading, warnings
    from sonogate import gate, pipeline
    from sonogate.track import studies

    words = "{NAME} {PATIENT_ID}"

    def fail(*_args, **_keywords):
        raise ValueError(words)

    async def fail_later():
        fail()

    tell = gate.Gate.tell

    def tell_and_fail(self):
        tell(self)
        loop = asyncio.get_running_loop()
        loop.call_soon(fail)
        loop.create_task(fail_later())
        warnings.warn(words)
        threading.Thread(target=fail).start()

    def fail_once(*args):
        pipeline.count = count
        fail()

    gate.Gate.tell = tell_and_fail
    count, pipeline.count = pipeline.count, fail_once
    studies.Studies.list = fail
    signal.signal(signal.SIGUSR1, fail)
"""
"""Errors of the gate's own that quote the patient: in a callback, a task, a thread, a warning, the
pipeline, a request, and at last one that ends the process."""


class _Ear(BaseHTTPRequestHandler):
    """A receiver that notes what it is called, and is ill now and then."""

    heard: list[str]

    def do_POST(self) -> None:
        """Take a webhook, a call of dcm4chee's, or an object."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.heard.append(f"{self.requestline} {self.headers}")
        is_ill = len(self.heard) % 3 == 1 or "dicom-web" in self.path
        self.send_response(503 if is_ill else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(body[:2] or b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Left:
    """What was found after each life."""

    day: PatientDay
    folder: Path
    heard: list[str]  #: request lines and headers of what the gate called
    metrics: bytes
    core_limits: list[tuple[str, str]]  #: of the gate and its children
    exported: dict[str, str]
    files: dict[str, set[str]]  #: by folder of data_dir, of both lives
    columns: dict[str, set[str]]
    files_at_last: dict[str, set[str]]  #: after a third start


def slow_over(day: PatientDay, over: threading.Event) -> Callable[[Archive, Any], int]:
    """Make an archive's answer: it takes its time over the object that had to be decoded."""

    def answer(_archive: Archive, event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == day.coded.SOPInstanceUID:
            over.wait(120)
        return 0

    return answer


class _EarServer(ThreadingHTTPServer):
    heard: list[str]


@contextmanager
def listening() -> Iterator[_EarServer]:
    """Run an ear for the time of the block."""
    server = _EarServer(("127.0.0.1", 0), type("Ear", (_Ear,), {"heard": []}))
    server.heard = vars(server.RequestHandlerClass)["heard"]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def live(day: PatientDay, ear: _EarServer) -> Left:
    """Spend a day; end it by an error; begin again, and be killed in the middle of everything."""
    served = day.gate
    served.start()
    await day.spend()
    metrics, limits = await day.metrics(), core_limits(served)
    end_by(served, signal.SIGUSR1)
    first = seen_in_files(served.data_dir, except_for=database_files())
    columns = seen_in_database(served.data_dir / DATABASE)
    exported = {form: export(served, form) for form in ("json", "dicom")}
    served.start()
    upload = asyncio.create_task(upload_without_end(served))
    await until_some_file_in(served.data_dir / "uploads")
    await until_some_file_in(served.data_dir / "outgoing")
    end_by(served, signal.SIGABRT)
    upload.cancel()
    second = seen_in_files(served.data_dir, except_for=database_files())
    for name, kinds in seen_in_database(served.data_dir / DATABASE).items():
        columns[name] = columns.get(name, set()) | kinds
    served.start()
    served.kill()
    last = seen_in_files(served.data_dir, except_for=database_files())
    both = {name: first.get(name, set()) | second.get(name, set()) for name in first | second}
    return Left(day, served.folder, ear.heard, metrics, limits, exported, both, columns, last)


def database_files() -> frozenset[str]:
    """What is looked into by its columns instead."""
    return frozenset(DATABASE + end for end in ("", "-wal", "-shm"))


def end_by(served: Served, number: signal.Signals) -> None:
    """Let the gate end by a signal; one that raises may hit a callback, and be survived."""
    assert served.process is not None
    for _ in range(6):
        served.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            served.process.wait(10)
            return
    raise AssertionError(f"the gate survives {number.name}")


async def until_some_file_in(folder: Path) -> None:
    """Wait until a folder holds something."""
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(holds_something, folder):  # noqa: ASYNC110 - a folder
            await asyncio.sleep(0.02)


def holds_something(folder: Path) -> bool:
    """Whether a folder has a file with something in it."""
    return any(path.stat().st_size for path in folder.iterdir())


def core_limits(served: Served) -> list[tuple[str, str]]:
    """Read how large a core file the gate and its children may write."""
    assert served.process is not None
    found = []
    for pid in (served.process.pid, *served.worker_ids()):
        with suppress(OSError):  # a child that just ended
            text = Path(f"/proc/{pid}/limits").read_text()
            found += re.findall(r"Max core file size +(\S+) +(\S+)", text)
    return found


def export(served: Served, form: str) -> str:
    """Print the audit trail."""
    command = [sys.executable, "-m", "sonogate", "audit", "export", "--format", form]
    command += ["--config", str(served.write_config())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout
