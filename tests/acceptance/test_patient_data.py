"""Where a patient's name is after a day with one, and where it is not, whatever goes wrong.

Item 6 of issue 4. Two lives and a start of a real gate (`sonogate serve`, debug log), with crashes
that only a process of its own can have: some twenty seconds, once. All claims are about what they
left behind.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.canary import (
    NAME,
    PATIENT_ID,
    png_texts,
    seen_in,
    seen_in_database,
    seen_in_files,
)
from tests.acceptance.patient_day import PatientDay, upload_without_end
from tests.acceptance.serving import Served, free_port
from tests.integration.forwarding import Archive, archive

pytestmark = [
    pytest.mark.integration,
    pytest.mark.acceptance,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "patient-data.md"
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


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Live twice and die of it twice; look at everything that stayed."""
    folder, faults = tmp_path_factory.mktemp("patient"), tmp_path_factory.mktemp("faults")
    (faults / "sitecustomize.py").write_text(FAULTS)
    (folder / "tmp").mkdir()
    environment = {
        "PYTHONPATH": os.pathsep.join((str(faults), os.environ.get("PYTHONPATH", ""))),
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder),
    }
    served = Served(folder, environment=environment)
    with ExitStack() as stack:
        ear = stack.enter_context(listening())
        day, over = PatientDay(served), threading.Event()
        pacs = stack.enter_context(archive(answer=slow_over(day, over)))
        stack.callback(over.set)
        served.extra_toml = TOML.format(ear=ear.server_port, dead=free_port(), pacs=pacs.port)
        stack.callback(served.stop)
        return asyncio.run(live(day, ear))


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
    """Let the gate end by a signal."""
    assert served.process is not None
    served.process.send_signal(number)
    served.process.wait(30)


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


def declared() -> dict[str, set[str]]:
    """Read the places and what they hold off the page."""
    rows = re.findall(r"^\| `([\w./]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    return {place.rstrip("/"): {each.strip() for each in kinds.split(",")} for place, kinds in rows}


def test_the_day_was_as_bad_as_it_was_meant(left: Left) -> None:
    """A worker and the gate crashed, errors were told by type, refusals were answered."""
    log = (left.folder / "gate.log").read_text()
    statuses = {status for _what, status, _all in left.day.answers}

    for event in (
        "crashed",
        "thread crashed",
        "warning withheld",
        "library message withheld",
        "worker crashed",
        "judging failed",
        "http_request_failed",
        "delivery failed",
        "forwarding failed",
        "mpps_server_failed",
        "protocol_violated",
    ):
        assert f'"event": "{event}"' in log, event
    assert {200, 404, 422, 500} <= statuses


def test_nothing_but_the_data_folder_holds_anything(left: Left) -> None:
    """Neither log, at its lowest level, nor temporary file, nor core; nor any file's name."""
    places = seen_in_files(left.folder, except_for=database_files())

    assert {"data"} == set(places)
    assert [] == list((left.folder / "tmp").iterdir())
    assert {("0", "0")} == set(left.core_limits)
    assert not [path for path in left.folder.rglob("*core*") if path.is_file()]


def test_no_metric_no_address_and_no_error_repeats_it(left: Left) -> None:
    """What Prometheus is shown, what the gate calls, what it answers to wrong requests."""
    refused = [each for each in left.day.answers if each[1] >= 400]

    assert set() == seen_in(left.metrics)
    assert 'exam_type="other"' in left.metrics.decode()
    assert left.heard
    assert [] == [line for line in left.heard if seen_in(line.encode())]
    assert [] == [what for what, _status, whole in refused if seen_in(whole)]
    assert [] == [each for each in left.day.comments if seen_in(each.encode())]


def test_no_answer_but_a_result_names_the_patient(left: Left) -> None:
    """Lists, studies, verdicts and pictures are without name, id and birth date."""
    assert [] == [what for what, _status, whole in left.day.answers if "patient" in seen_in(whole)]
    for png in left.day.pngs:
        assert set() == seen_in(png)
        assert all(re.fullmatch(rb"sonogate-region\0[\d,]+", text) for text in png_texts(png))


@pytest.mark.parametrize("form", ["json", "dicom"])
def test_an_export_holds_the_accession_number_in_its_field_alone(left: Left, form: str) -> None:
    """It is taken out of the field declared to hold it; then nothing is left."""
    said = left.exported[form]
    field = {"json": r'"accession_number": "[^"]*"', "dicom": r'<Accession Number="[^"]*"'}[form]

    bare, n_fields = re.subn(field, "", said)

    assert n_fields > 3
    assert {"accession number"} == seen_in(said.encode())
    assert set() == seen_in(bare.encode())


def test_the_page_names_every_place_and_no_other(left: Left) -> None:
    """Each folder and each column of the database, with what it may hold."""
    assert declared() == left.files | left.columns


def test_what_was_under_way_is_gone_after_a_start(left: Left) -> None:
    """Uploads and objects decoded to be sent do not outlive the crash by more than a start."""
    assert {"uploads", "outgoing"} <= set(left.files)
    assert {"uploads", "outgoing"}.isdisjoint(left.files_at_last)
