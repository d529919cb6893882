"""A gate that is told to end, ends, whoever it waits for just then; what holds it up is named."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from tests.acceptance.serving import Served
from tests.integration.ward import calling, created

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]


@contextmanager
def silent_socket(called: threading.Event) -> Iterator[int]:
    """Accept connections and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
                    called.set()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for each in held:
            each.close()


@contextmanager
def slow_ris(called: threading.Event) -> Iterator[int]:
    """Take exam steps and think about them."""
    over = threading.Event()

    def think(_event: evt.Event) -> tuple[Any, None]:
        called.set()
        over.wait(100)
        return 0, None

    ae = AE(ae_title="RIS")
    ae.add_supported_context(ModalityPerformedProcedureStep)
    handlers = [(evt.EVT_N_CREATE, think)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        over.set()
        server.shutdown()


def begin_a_step(port: int) -> None:
    """Tell the gate of one."""
    with calling(port) as association:
        model = ModalityPerformedProcedureStep
        status, _ = association.send_n_create(created("1.2.3"), model, generate_uid())
        assert status.Status == 0


@pytest.mark.parametrize("silent", [silent_socket, slow_ris])
def test_a_silent_server_does_not_hold_up_the_end(
    tmp_path: Path, silent: Callable[[threading.Event], Any]
) -> None:
    """One that takes the connection, or the message, and then says nothing for half a minute."""
    called = threading.Event()
    with silent(called) as port:
        served = Served(
            tmp_path,
            '[scoring]\nworkers = 1\nmodel = "dct-manifold/1.0.0"\n[[mpps.forward_to]]\n'
            f'name = "ris"\nhost = "127.0.0.1"\nport = {port}\nae_title = "RIS"\n',
        )
        served.start()
        begin_a_step(served.dicom_port)
        assert called.wait(30)
        assert served.process is not None
        began = time.monotonic()
        served.process.terminate()
        code = served.process.wait(90)
        took = time.monotonic() - began

    assert 0 == code, (tmp_path / "gate.log").read_text(errors="replace")[-5000:]
    assert took < 12


HELD_UP = """
import sys
if "serve" in sys.orig_argv:
    import asyncio, signal
    from sonogate.observe import ending
    from sonogate.receive import listener

    async def hang(_self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    def fail(*_args):
        raise ValueError

    listener.Listener.stop = hang
    ending.END_SECONDS = 2.0
    signal.signal(signal.SIGUSR1, fail)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_holds_up_the_end_is_named_and_left(tmp_path: Path, number: signal.Signals) -> None:
    """Whether the gate was told to stop or an error ends it; two seconds here."""
    (tmp_path / "sitecustomize.py").write_text(HELD_UP)
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    served = Served(
        tmp_path,
        '[scoring]\nworkers = 1\nmodel = "dct-manifold/1.0.0"\n',
        environment={"PYTHONPATH": path},
    )
    served.start()
    try:
        code = ended_by(served, number)
    finally:
        served.kill()
    said = [line for line in (tmp_path / "gate.log").read_text().splitlines() if "held up" in line]

    assert 1 == code
    assert 1 == len(said)
    assert "sitecustomize.py:" in said[0]


def ended_by(served: Served, number: signal.Signals) -> int:
    """Send a signal until the gate ends; one that raises may hit a callback, and be survived."""
    assert served.process is not None
    for _ in range(5):
        served.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return served.process.wait(10)
    raise AssertionError(f"the gate survives {number.name}")
