"""Whoever waits for a peer in a thread is let go at whatever moment it is cancelled."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from sonogate.act.network.calling import Peer, associated
from sonogate.act.network.hanging_up import aside

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(60)]

ANSWER_SECONDS = 30.0
ENDED_SECONDS = 8.0


@pytest.fixture
def called() -> threading.Event:
    """Set when the server was asked."""
    return threading.Event()


@pytest.fixture
def ris(called: threading.Event) -> Iterator[Peer]:
    """A server that thinks about an exam step until the test is over."""
    over = threading.Event()

    def think(_event: evt.Event) -> tuple[Any, None]:
        called.set()
        over.wait(ANSWER_SECONDS)
        return 0, None

    ae = AE(ae_title="RIS")
    ae.add_supported_context(ModalityPerformedProcedureStep)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_CREATE, think)]
    )
    assert server is not None
    port = int(server.socket.getsockname()[1])
    try:
        yield Peer(
            host="127.0.0.1",
            port=port,
            called_ae="RIS",
            calling_ae="GATE",
            answer_seconds=ANSWER_SECONDS,
        )
    finally:
        over.set()
        server.shutdown()


def begin(association: Association) -> None:
    """Tell of a step, and wait for the answer."""
    said = Dataset()
    said.PatientName = "A"
    association.send_n_create(said, ModalityPerformedProcedureStep, generate_uid())


def waiting() -> list[str]:
    """The threads on whose end a process would wait, or that wait for a peer."""
    return [
        each.name
        for each in threading.enumerate()
        if each.name == "aside"
        or (isinstance(each, DULServiceProvider) and each.assoc.is_requestor)
    ]


def all_end() -> bool:
    """Wait for them."""
    deadline = time.monotonic() + ENDED_SECONDS
    while waiting() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not waiting()


async def cancelled_after(seconds: float, work: Any) -> None:
    """Cancel what runs aside."""
    task = asyncio.ensure_future(aside(work))
    await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_before_there_is_a_connection(ris: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that is to connect has not come to it; what it begins later is cut, too."""
    run = DULServiceProvider.run_reactor

    def late(provider: DULServiceProvider) -> None:
        if provider.assoc.is_requestor:
            time.sleep(0.4)
        run(provider)

    monkeypatch.setattr(DULServiceProvider, "run_reactor", late)
    opened = associated(ris, ModalityPerformedProcedureStep)

    await cancelled_after(0.1, opened.__enter__)

    assert await asyncio.to_thread(all_end), waiting()


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.01, 0.02, 0.04, 0.08])
async def test_while_it_is_being_opened(ris: Peer, seconds: float) -> None:
    """At any moment of connecting and being accepted."""
    opened = associated(ris, ModalityPerformedProcedureStep)

    await cancelled_after(seconds, opened.__enter__)
    del opened

    assert await asyncio.to_thread(all_end), waiting()


async def test_while_the_peer_hangs_up_as_well(
    ris: Peer, called: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It closes once it is cut off; our own thread, on a busy machine, sees both a moment later."""
    begin_thread = DULServiceProvider.start

    def slowly(provider: DULServiceProvider) -> None:
        if provider.assoc.is_requestor:
            provider._run_loop_delay = 0.4
        begin_thread(provider)

    monkeypatch.setattr(DULServiceProvider, "start", slowly)
    opened = associated(ris, ModalityPerformedProcedureStep)
    association = await aside(opened.__enter__)
    task = asyncio.ensure_future(aside(partial(begin, association)))
    assert await asyncio.to_thread(called.wait, 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    del opened, association, task

    assert await asyncio.to_thread(all_end), waiting()


async def test_a_thread_that_ended_without_a_word(ris: Peer, called: threading.Event) -> None:
    """What it should have said to whoever waits is said in its place."""
    opened = associated(ris, ModalityPerformedProcedureStep)
    association = await aside(opened.__enter__)
    task = asyncio.ensure_future(aside(partial(begin, association)))
    assert await asyncio.to_thread(called.wait, 10)
    association.dul.kill_dul()
    await asyncio.to_thread(association.dul.join)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(all_end), waiting()


async def test_an_answer_and_an_error_come_through() -> None:
    """Nobody is cancelled."""

    def fail() -> None:
        raise LookupError("no")

    assert 3 == await aside(lambda: 3)
    with pytest.raises(LookupError, match="no"):
        await aside(fail)
