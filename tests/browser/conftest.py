"""A headless Chromium, spoken to over its debugging pipe: no port, no driver, no package."""

import asyncio
import base64
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import uvicorn
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sonogate.act.results.published import PublishedResults
from sonogate.act.results.rejecting import rejected
from sonogate.act.results.shelf import Shelf
from sonogate.api.app import make_app
from sonogate.api.dependencies import ApiPorts
from sonogate.domain.identity import AETitle, SeriesUID, SOPInstanceUID, StudyUID, new_object_id
from sonogate.domain.instance import Header, MediaType, Provenance, ReceivedInstance, Transport
from sonogate.domain.job import Examination, Outcome
from sonogate.domain.procedure import FINAL_ATTRIBUTES, StepMessage, StepStatus
from sonogate.domain.rejection import Rejection
from sonogate.domain.verdict import Verdict
from sonogate.observe.health import Readiness
from sonogate.observe.metrics import Metrics
from sonogate.settings import HttpSettings, ResultsSettings, TrackSettings
from sonogate.store.database import Database
from sonogate.store.records import DeliveryTargets
from sonogate.store.transaction import Transaction
from sonogate.track import tracker
from sonogate.track.events import EventFeed
from sonogate.track.steps import StepBook
from sonogate.track.studies import Studies
from tests.network import unchanged

T = TypeVar("T")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, number in zip(ends, (3, 4)):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page in one fresh browser (Chrome DevTools Protocol over file descriptors 3 and 4)."""

    def __init__(self, chromium: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(to_browser), str(from_browser), chromium, *flags],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._session: str | None = None
        self._ids = itertools.count(1)
        self._rest = b""
        self._finger = [0.0, 0.0]
        self.logs: list[str] = []

    def open_page(self) -> None:
        """Wait for the browser and open its one page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser ended"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._ids)
        request: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._write, json.dumps(request).encode() + b"\0")
        while True:
            message = self._receive()
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.logs.append(json.dumps(message["params"]))

    def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript in the page and return its value; promises are awaited."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 15) -> Any:
        """Return the expression's value once it is truthy; while the page loads it may throw."""
        expression = f"(() => {{ try {{ return ({expression}) }} catch {{ return null }} }})()"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := self.evaluate(expression):
                return value
            time.sleep(0.05)
        page = self.evaluate("document.body.innerText")
        raise AssertionError(f"never true: {expression}\npage: {page}\nlog: {self.logs}")

    def go(self, url: str) -> None:
        """Open an address."""
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        """Return the visible text of the page."""
        return str(self.evaluate("document.body.innerText"))

    def click(self, selector: str) -> None:
        """Press an element with real mouse events at its middle, so that what covers it counts."""
        self.hold(selector)
        self.lift()

    def hold(self, selector: str) -> None:
        """Press the mouse's button on the middle of an element."""
        self._finger = self.evaluate(
            f"(() => {{const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]})()"
        )
        self._mouse("mousePressed")

    def lift(self) -> None:
        """Release the mouse's button where it was pressed."""
        self._mouse("mouseReleased")

    def _mouse(self, kind: str) -> None:
        x, y = self._finger
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        """Press and release a key where the keyboard's place is."""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **typed
            )

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Set the size of the view in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def screenshot(self, path: Path) -> None:
        """Write what the page looks like as PNG."""
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(picture))

    def close(self) -> None:
        """End the browser that this object started."""
        self._session = None
        with suppress(BrokenPipeError):
            os.write(self._write, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)


@pytest.fixture
def browser(need_tool: Callable[[str], str], tmp_path: Path) -> Iterator[Browser]:
    """Start a fresh headless Chromium; skip where there is none."""
    with unchanged():
        one = Browser(need_tool("chromium"), tmp_path / "profile")
        try:
            one.open_page()
            one.resize(1280, 800)
            yield one
        finally:
            one.close()


def phantom_png(fault: str, region: tuple[int, int, int, int]) -> bytes:
    """Draw a small sector of speckle, dark on its right half if it has a fault."""
    height, width = 240, 320
    rows, columns = np.mgrid[0:height, 0:width]
    radius = np.hypot(columns - width / 2, rows + 70)
    angle = np.arctan2(columns - width / 2, rows + 70)
    inside = (np.abs(angle) < 0.6) & (radius > 90) & (radius < 305)
    speckle = np.random.default_rng(7).rayleigh(60, (height, width))
    if fault:
        speckle = np.where(angle > 0.1, speckle * 0.1, speckle)
    image = Image.fromarray(np.where(inside, speckle, 0).clip(0, 255).astype(np.uint8))
    shows, out = PngInfo(), BytesIO()
    shows.add_text("sonogate-region", ",".join(str(number) for number in region))
    image.save(out, "PNG", pnginfo=shows)
    return out.getvalue()


def heat_png(fault: str) -> bytes:
    """Draw a heat map that is hot where the phantom is dark."""
    alpha = np.zeros((240, 320), np.uint8)
    if fault:
        alpha[40:200, 190:290] = 170
    pixels = np.dstack([np.full_like(alpha, 255), alpha * 0, alpha * 0, alpha])
    out = BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG")
    return out.getvalue()


class PageGate:
    """The real store, tracker and HTTP door on a thread of their own; only scoring is left out."""

    def __init__(self, folder: Path, results: ResultsSettings | None = None, **http: Any) -> None:
        self._folder = folder
        self._rejections_by = (results or ResultsSettings()).rejections_by
        self._http = HttpSettings(**http)
        self._n = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._database = Database(f"sqlite:///{folder / 'sonogate.db'}")
        self.do(self._database.open())
        self.studies = Studies(self._database, rejected=self._rejected)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.do(self.start())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the gate's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _rejected(self, tx: Transaction, study_uid: str) -> dict[str, Rejection]:
        by = self._rejections_by
        return rejected(tx, study_uid, by) if by else {}

    async def start(self) -> None:
        """Serve the door."""
        self._ports = ApiPorts(
            studies=self.studies,
            events=EventFeed(self._database),
            submit=self._no_upload,
            keep=self._no_store,
            results=PublishedResults(
                self._database, Shelf(self._folder / "results"), rejections_by=self._rejections_by
            ),
            metrics=Metrics(),
            readiness=self._ready,
            started_at=datetime.now(UTC),
        )
        config = uvicorn.Config(
            make_app(self._ports, self._http), log_config=None, lifespan="off", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
        listening = self._listening.dup()
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop serving; the port stays ours, so that the door can open again."""
        self._ports.closing.set()
        self._server.should_exit = True
        await self._serving

    async def _no_store(self, *_arguments: object) -> None:
        raise AssertionError("nothing is stored here")

    async def _no_upload(self, *_arguments: object) -> tuple[str, Verdict]:
        raise AssertionError("nothing is uploaded here")

    async def _ready(self) -> Readiness:
        return Readiness(ready=True, checks={})

    def say_step(self, study_uid: str, names: tuple[str, ...] = ()) -> None:
        """Let the cart begin an exam step, or with names complete it."""
        book = StepBook(
            self._database, DeliveryTargets(), Metrics(), lambda: None, max_in_progress=10
        )
        self.do(
            book.take(
                StepMessage(
                    step_uid="1.9",
                    is_create=not names,
                    status=StepStatus.COMPLETED if names else StepStatus.IN_PROGRESS,
                    study_uids=(study_uid,),
                    references=names or None,
                    said=frozenset(FINAL_ATTRIBUTES[StepStatus.COMPLETED] if names else ()),
                    calling_ae="CART1",
                    received_at=datetime.now(UTC),
                    transfer_syntax_uid="1.2.840.10008.1.2.1",
                    data_set=b"",
                    sha256=f"{len(names)}",
                )
            )
        )

    def arrive(self, study_uid: str | None = "1.2.3", fault: str = "", **facts: Any) -> str:
        """Keep an object, judge it as told and record it; returns its SOP instance UID."""
        self._n += 1
        uid = f"{study_uid or '9.9'}.{self._n}"
        verdict = Verdict(sop_instance_uid=uid, study_instance_uid=study_uid, **facts)
        self.do(self._record(uid, study_uid, verdict, fault))
        return uid

    async def _record(self, uid: str, study_uid: str | None, verdict: Verdict, fault: str) -> None:
        now = datetime.now(UTC)
        received = ReceivedInstance(
            object_id=new_object_id(),
            media_type=MediaType.DICOM,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
            sop_instance_uid=SOPInstanceUID(uid),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            content_sha256=f"{self._n:064x}",
            size_bytes=1,
            spool_name=f"00/{self._n}",
            provenance=Provenance(
                calling_ae=AETitle("CART1"),
                called_ae=AETitle("SONOGATE"),
                peer_address="127.0.0.1",
                transport=Transport.DIMSE,
                received_at=now,
            ),
        )
        await self._database.write(lambda tx: tx.objects.keep(received))
        examination = Examination(
            object_id=received.object_id,
            outcome=Outcome.SCORED,
            header=Header(
                sop_instance_uid=SOPInstanceUID(uid),
                study_instance_uid=StudyUID(study_uid) if study_uid else None,
                series_instance_uid=SeriesUID(f"{study_uid}.0") if study_uid else None,
                exam_type="ABDOMEN",
                accession_number="A-20417",
            ),
            thumbnail_png=phantom_png(fault, (100, 50, 640, 480)),
            heatmap_png=heat_png(fault),
        )

        def work(tx: tracker.Transaction) -> tracker.Recorded:
            (claimed,) = tx.objects.claim("test", now, 60, 1)
            dated = verdict.model_copy(update={"received_at": now, "verdict_at": now})
            return tracker.record(tx, claimed, examination, dated, now, TrackSettings())

        await self._database.write(work)

    def close(self) -> None:
        """Stop everything that this gate started."""
        self.do(self.stop())
        self._listening.close()
        self.do(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., PageGate]]:
    """Return a function that starts a gate with given HTTP settings, and those of results."""
    gates: list[PageGate] = []

    def make(**http: Any) -> PageGate:
        gates.append(PageGate(tmp_path, **http))
        return gates[-1]

    yield make
    for gate in gates:
        gate.close()
