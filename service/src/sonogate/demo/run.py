"""`sonogate demo`: start a gate, send an exam through a real association, show the verdicts."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.progress import Progress

from sonogate.app import running_gate
from sonogate.demo.exam import names_of, write_exam
from sonogate.demo.objects import DicomFile, Found, find_objects
from sonogate.demo.ports import is_free
from sonogate.demo.sender import Peer, SendError, Sent, send_study
from sonogate.demo.table import POLL_SECONDS, Board, Row, bar, fill, refresh, render
from sonogate.errors import GateError
from sonogate.gate import Gate
from sonogate.settings import HttpSettings, LogSettings, Settings

PAUSE_SECONDS = 0.5
"""Between two images of the phantom exam: a hurried sonographer, but no burst."""
STALLED_SECONDS = 90.0
"""No new verdict for so long, and the demo gives the missing ones up: more than two deadlines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for on the command line."""

    source: Path | None = None  #: folder of objects to send; None for a phantom exam
    once: bool = False  #: exit after the table
    data_dir: Path | None = None  #: None for a folder that goes afterwards
    dicom_port: int | None = None
    http_port: int | None = None


async def run_demo(settings: Settings, wishes: Wishes, console: Console) -> bool:
    """Run the demo; return whether every object has a verdict.

    Raises:
        GateError: The gate can't start, or there is nothing to send.
    """
    with _folder(wishes.data_dir, "data") as data_dir, _folder(None, "exam") as exam_dir:
        found = _found(wishes.source, console) if wishes.source else _phantom(exam_dir, console)
        settings = demo_settings(settings, wishes, data_dir, console)
        async with _gate(settings, console) as gate:
            console.print(f"Page: {gate.url}   DICOM: {_address(gate)}")
            pause = 0.0 if wishes.source else PAUSE_SECONDS
            source = wishes.source or exam_dir
            board = await _send_and_show(found, gate, source, console, pause)
            console.print(render(board.rows))
            _sum_up(board, found, console)
            if not wishes.once:
                console.print(f"Serving {gate.url} until Ctrl-C.")
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
    return not board.missing


@contextmanager
def _folder(given: Path | None, name: str) -> Iterator[Path]:
    """Use the folder that was given, else one that goes with the demo."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix=f"sonogate-demo-{name}-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _phantom(folder: Path, console: Console) -> Found:
    with Progress(console=console, transient=True) as progress:
        drawing = progress.add_task("Drawing a phantom exam (no patient)", total=len(names_of()))
        for _path in write_exam(folder, datetime.now().astimezone()):
            progress.advance(drawing)
    return find_objects([folder])


def _found(source: Path, console: Console) -> Found:
    with console.status(f"Looking for DICOM objects under {source}"):
        found = find_objects([source])
    for path, reason in found.skipped.items():
        console.print(f"[dim]skipped {path}: {reason}[/dim]", highlight=False)
    if not found.files:
        raise GateError(f"No DICOM object under {source}; give a folder that holds some.")
    return found


def demo_settings(settings: Settings, wishes: Wishes, data_dir: Path, console: Console) -> Settings:
    """Put the demo's folder and ports in; a taken default port gives way to a free one."""
    dicom = _port("DICOM", wishes.dicom_port, settings.listener.port, console)
    http = _port("HTTP", wishes.http_port, settings.http.port, console)
    open_here = {"tls_certificate": None, "tls_key": None, "tls_client_ca": None, "senders": ()}
    listener = settings.listener.model_copy(
        update={"port": dicom, "host": "127.0.0.1", **open_here}
    )
    return settings.model_copy(
        update={
            "data_dir": data_dir,
            "listener": listener,
            "http": HttpSettings(port=http),
            "log": LogSettings(level="error", form="console"),
        }
    )


def _port(door: str, wanted: int | None, default: int, console: Console) -> int:
    if wanted is not None:
        return wanted
    if is_free(default):
        return default
    console.print(f"{door} port {default} is taken; using a free one.")
    return 0


@asynccontextmanager
async def _gate(settings: Settings, console: Console) -> AsyncIterator[Gate]:
    starting = console.status("Starting the gate")
    starting.start()
    try:
        async with running_gate(settings) as gate:
            starting.stop()
            yield gate
    finally:
        starting.stop()


def _address(gate: Gate) -> str:
    return f"{gate.settings.listener.ae_title}@127.0.0.1:{gate.dicom_port}"


async def _send_and_show(
    found: Found, gate: Gate, source: Path, console: Console, pause_seconds: float
) -> Board:
    files = [file for study in found.by_study().values() for file in study]
    board = Board([await asyncio.to_thread(_row, file, source) for file in files])
    sending = asyncio.create_task(asyncio.to_thread(_send, board, found, gate, pause_seconds))
    lines = max(console.height - 6, 5)
    async with httpx.AsyncClient(base_url=gate.url, timeout=30.0, trust_env=False) as client:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            async for _ in _until_judged(board, client, sending):
                begun = [row for row in board.rows if row.sent]
                live.update(Group(render(begun, limit=lines), bar(board)), refresh=True)
        await refresh(board, client)
    await sending
    return board


def _row(file: DicomFile, source: Path) -> Row:
    inside = source.is_dir() and file.path.is_relative_to(source)
    name = str(file.path.relative_to(source)) if inside else file.path.name
    return Row(name=name.removesuffix(".dcm"), file=file, content_sha256=file.content_sha256())


def _send(board: Board, found: Found, gate: Gate, pause_seconds: float) -> None:
    """Send study by study; runs in a thread, since pynetdicom waits for answers."""
    rows = {row.file.path: row for row in board.rows}
    peer = Peer(host="127.0.0.1", port=gate.dicom_port, called_ae=gate.settings.listener.ae_title)

    def note(sent: Sent) -> None:
        rows[sent.file.path].sent = sent
        time.sleep(pause_seconds)

    for files in found.by_study().values():
        try:
            send_study(files, peer, note)
        except SendError as error:
            for file in files:
                if rows[file.path].sent is None:
                    note(Sent(file=file, status=None, detail=str(error), seconds=0.0))


async def _until_judged(
    board: Board, client: httpx.AsyncClient, sending: asyncio.Task[None]
) -> AsyncIterator[None]:
    """Yield a few times a second until all are judged, or nothing has come for long."""
    last = time.monotonic()
    while True:
        done_sending = sending.done()
        if await fill(board, client) or not done_sending:
            last = time.monotonic()
        yield
        waiting = any(row.is_waiting for row in board.rows)
        if (done_sending and not waiting) or time.monotonic() - last > STALLED_SECONDS:
            return
        await asyncio.sleep(POLL_SECONDS)


def _sum_up(board: Board, found: Found, console: Console) -> None:
    words = Counter(
        str(row.verdict.counts_as).replace("_", " ")
        for row in board.rows
        if row.verdict and row.is_judged
    )
    counted = ", ".join(f"{n} {word}" for word, n in words.most_common())
    console.print(f"{board.n_judged} of {len(board.rows)} objects have a verdict: {counted}.")
    if found.skipped:
        console.print(f"{len(found.skipped)} files are not DICOM objects and were skipped.")
    for row in board.missing:
        why = row.sent.detail if row.sent else "never sent"
        console.print(f"[bold red]no verdict[/bold red] {row.name}: {why}", highlight=False)
