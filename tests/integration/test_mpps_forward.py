"""Exam steps passed on to the site's own MPPS server: pynetdicom as that server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from tests.integration.test_commitment import refused_sockets_may_linger
from tests.integration.test_mpps import say
from tests.integration.ward import Ward, created, ended, image, open_ward
from tests.service.receive.door import eventually

pytestmark = pytest.mark.integration


@dataclass
class Ris:
    """An MPPS server: keeps steps as the standard asks, and remembers what it was sent."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)  #: kind, step, calling AE
    steps: dict[str, str] = field(default_factory=dict)
    forced: list[int] = field(default_factory=list)  #: statuses to answer first, whatever came
    forgets_to_answer: bool = False

    def create(self, event: evt.Event) -> tuple[Any, None]:
        """Take an N-CREATE."""
        uid = str(event.request.AffectedSOPInstanceUID)
        self._hear("create", uid, event)
        if self.forced:
            return self.forced.pop(0), None
        if uid in self.steps:
            return 0x0111, None
        self.steps[uid] = str(event.attribute_list.PerformedProcedureStepStatus)
        assert event.attribute_list.PatientName == "Canary^Yellow"
        return self._answer(event), None

    def set(self, event: evt.Event) -> tuple[Any, None]:
        """Take an N-SET."""
        uid = str(event.request.RequestedSOPInstanceUID)
        self._hear("set", uid, event)
        if self.steps.get(uid) != "IN PROGRESS":
            status = Dataset()
            status.Status, status.ErrorID = 0x0110, 0xA710
            return status, None
        self.steps[uid] = str(event.modification_list.PerformedProcedureStepStatus)
        return self._answer(event), None

    def _answer(self, event: evt.Event) -> int:
        if self.forgets_to_answer:
            event.assoc.abort()
        return 0

    def _hear(self, kind: str, uid: str, event: evt.Event) -> None:
        self.heard.append((kind, uid, event.assoc.requestor.ae_title))

    @property
    def kinds(self) -> list[str]:
        """What came, in order."""
        return [kind for kind, _uid, _ae in self.heard]


@contextmanager
def running(ris: Ris, port: int = 0) -> Iterator[int]:
    """Run the server for the time of the block; yields its port."""
    ae = AE(ae_title="RIS")
    ae.add_supported_context(ModalityPerformedProcedureStep)
    handlers = [(evt.EVT_N_CREATE, ris.create), (evt.EVT_N_SET, ris.set)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()


def to(port: int, **more: object) -> dict[str, object]:
    """The settings that pass everything on to a port."""
    server = {"name": "ris", "host": "127.0.0.1", "port": port, "ae_title": "RIS"}
    return {"forward_to": [{**server, "retry_max_seconds": 1, **more}]}


@pytest.fixture
def ris() -> Ris:
    """A server's memory."""
    return Ris()


def exam(step: str) -> list[tuple[str, Dataset | None, str]]:
    """A whole exam's messages."""
    study = generate_uid()
    return [
        ("create", created(study), step),
        ("set", ended([image(study)], "IN PROGRESS"), step),
        ("set", ended([image(study)]), step),
    ]


def n_pending(ward: Ward) -> float:
    """Messages that the server has not got."""
    return ward.count("sonogate_mpps_forwards_pending", server="ris")


def n(ward: Ward, result: str) -> float:
    """Attempts with a result."""
    return ward.count("sonogate_mpps_forwards_total", server="ris", result=result)


async def test_messages_are_passed_on_in_order_under_the_carts_name(
    ris: Ris, tmp_path: Path
) -> None:
    """Whole, patient and all; and nothing of it stays in our database."""
    step = generate_uid()
    with running(ris) as port:
        async with open_ward(tmp_path, mpps=to(port)) as ward:
            await asyncio.to_thread(say, ward.port, *exam(step))
            await eventually(lambda: n(ward, "delivered") == 3, 15)
            await eventually(lambda: n_pending(ward) == 0)

    assert [("create", step, "CART"), ("set", step, "CART"), ("set", step, "CART")] == ris.heard
    assert {step: "COMPLETED"} == ris.steps


@refused_sockets_may_linger
async def test_a_dead_server_loses_nothing_over_a_restart(ris: Ris, tmp_path: Path) -> None:
    """Nobody listens; the cart is answered all the same, and the next gate passes it on."""
    step = generate_uid()
    async with open_ward(tmp_path, mpps=to(1)) as first:
        answers = await asyncio.to_thread(say, first.port, *exam(step))
        await eventually(lambda: n(first, "failed") >= 1)
    with running(ris) as port:
        async with open_ward(tmp_path, mpps=to(port)) as second:
            await eventually(lambda: n(second, "delivered") == 3, 15)

    assert [0, 0, 0] == [answer.Status for answer in answers]
    assert ["create", "set", "set"] == ris.kinds


async def test_what_a_lost_answer_repeats_counts_as_taken(ris: Ris, tmp_path: Path) -> None:
    """The server takes each message and drops the line: the repetition is 0x0111 or 0xA710."""
    step, ris.forgets_to_answer = generate_uid(), True
    first, _middle, last = exam(step)
    with running(ris) as port:
        async with open_ward(tmp_path, mpps=to(port)) as ward:
            await asyncio.to_thread(say, ward.port, first, last)
            await eventually(lambda: n(ward, "delivered") == 2, 20)

    assert ["create", "create", "set", "set"] == ris.kinds
    assert {step: "COMPLETED"} == ris.steps


async def test_a_refused_message_holds_up_no_other_step(ris: Ris, tmp_path: Path) -> None:
    """0x0106 is final and counted; a busy server's 0x0213 is tried again."""
    bad, good = generate_uid(), generate_uid()
    ris.forced = [0x0106, 0x0213]
    with running(ris) as port:
        async with open_ward(tmp_path, mpps=to(port)) as ward:
            await asyncio.to_thread(say, ward.port, exam(bad)[0])
            await eventually(lambda: n(ward, "refused") == 1, 15)
            await asyncio.to_thread(say, ward.port, exam(good)[0])
            await eventually(lambda: n(ward, "delivered") == 1, 15)

    assert {good: "IN PROGRESS"} == ris.steps
    assert [bad, good, good] == [uid for _kind, uid, _ae in ris.heard]
