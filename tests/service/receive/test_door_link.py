"""What a door and the gate say to each other, and what happens when one of them talks nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sonogate.domain.commitment import (
    CommitmentItem,
    CommitmentOutcome,
    CommitmentReport,
    CommitmentRequest,
    FailureReason,
)
from sonogate.domain.procedure import StepMessage, StepStatus
from sonogate.receive.admission import Rule
from sonogate.receive.doors.link import Link, LinkBrokenError
from sonogate.receive.doors.ports import MAX_WAYS_BACK, GateCommitments
from sonogate.receive.doors.wire import (
    LENGTH,
    MAX_MESSAGE_BYTES,
    TO_DOOR,
    TO_GATE,
    Admitted,
    Begin,
    CommitmentAsked,
    CommitmentTaken,
    Counts,
    Failed,
    Knock,
    Report,
    StepSaid,
    answer_in,
)
from sonogate.receive.porter import Counted
from sonogate.settings import ListenerSettings, LogSettings, SpoolSettings

NOW = datetime.now(UTC)
ITEM = CommitmentItem(sop_class_uid="1.2", sop_instance_uid="1.2.3")
BEGIN = Begin(
    listener=ListenerSettings.model_validate(
        {"senders": [{"ae_title": "CART", "addresses": ["192.0.2.0/28"]}], "processes": 2}
    ),
    spool=SpoolSettings(),
    log=LogSettings(),
    spool_dir="/spool",  # type: ignore[arg-type]
    owner="D1",
    has_steps=True,
    has_commitments=False,
    has_room=True,
)
STEP = StepMessage(
    step_uid="1.2.3",
    is_create=False,
    status=StepStatus.COMPLETED,
    references=("1.2.4",),
    said=frozenset({"PerformedSeriesSequence"}),
    calling_ae="CART",
    received_at=NOW,
    transfer_syntax_uid="1.2.840.10008.1.2",
    data_set=bytes(range(256)),
    sha256="",
)
REQUEST = CommitmentRequest(
    transaction_uid="1.2",
    calling_ae="CART",
    called_ae="SONOGATE",
    peer_address="192.0.2.1",
    items=(ITEM,),
    received_at=NOW,
)
REPORT = CommitmentReport(
    transaction_uid="1.2", items=((ITEM, None), (ITEM, FailureReason.PROCESSING_FAILURE))
)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Link[Any, Any], Link[Any, Any]]]:
    """The gate's end and a door's."""
    ours, theirs = socket.socketpair()
    gate, door = await Link.over(ours, TO_DOOR, TO_GATE), await Link.over(theirs, TO_GATE, TO_DOOR)
    yield gate, door
    await gate.close()
    await door.close()


async def test_what_is_said_arrives_as_it_was(ends: tuple[Link[Any, Any], Link[Any, Any]]) -> None:
    """Any bytes of a data set, any address, in both directions and in their order."""
    gate, door = ends
    to_door = [BEGIN, Admitted(1, None), Admitted(2, Rule.ADDRESS), Report(3, 4, REPORT)]
    to_gate = [
        Knock(1, "CART", "192.0.2.1"),
        StepSaid(2, STEP),
        CommitmentAsked(3, REQUEST),
        Counts(((Counted.OBJECT_KEPT, "", 0.25), (Counted.TLS_REFUSED, "lost", 1.0))),
    ]
    for message in to_door:
        gate.say(message)
    for message in to_gate:
        door.say(message)

    assert to_gate == [await gate.hear() for _ in to_gate]
    heard = [await door.hear() for _ in to_door]
    assert to_door[1:] == heard[1:]
    assert BEGIN.listener == heard[0].listener


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\0\0",
        LENGTH.pack(2) + b"{}",
        LENGTH.pack(4) + b"\xff\xfe\0\0",
        LENGTH.pack(20) + b'{"kind":"announce"}\n',
        LENGTH.pack(MAX_MESSAGE_BYTES + 1),
    ],
)
async def test_nonsense_breaks_the_link(nonsense: bytes) -> None:
    """An end, half a message, one that is none, one that claims to be endless."""
    ours, theirs = socket.socketpair()
    link = await Link.over(ours, TO_DOOR, TO_GATE)
    theirs.sendall(nonsense)
    theirs.close()

    with pytest.raises(LinkBrokenError):
        await link.hear()
    await link.close()


async def test_answers_find_their_questions(ends: tuple[Link[Any, Any], Link[Any, Any]]) -> None:
    """In any order; who asks when the link is closed, or was not answered, is told so."""
    gate, _door = ends
    (first, one), (second, other), (_third, last) = (gate.question() for _ in range(3))
    gate.answered(second, "second")
    gate.answered(first, answer_in(Failed(first)))
    gate.answered(99, "to nobody")
    assert "second" == await other
    with pytest.raises(Exception, match="could not keep it"):
        await one
    await gate.close()
    _number, late = gate.question()
    for unanswered in (last, late):
        with pytest.raises(LinkBrokenError):
            await asyncio.wait_for(unanswered, 1)


@pytest.mark.parametrize(
    ("outcome", "reported"),
    [
        (CommitmentOutcome.TAKEN, 0),
        (CommitmentOutcome.REPEATED, 0),
        (CommitmentOutcome.CONFLICT, None),
        (CommitmentOutcome.CROWDED, None),
    ],
)
async def test_a_report_comes_back_to_who_is_owed_it(
    ends: tuple[Link[Any, Any], Link[Any, Any]], outcome: CommitmentOutcome, reported: int | None
) -> None:
    """Also to who asked again; a request that was turned down has no way back."""
    gate, door = ends
    assert reported == await _report_after(gate, door, GateCommitments(door), outcome)


async def test_ways_back_are_bounded(ends: tuple[Link[Any, Any], Link[Any, Any]]) -> None:
    """The newest stays, however often a cart asks."""
    gate, door = ends
    commitments = GateCommitments(door)
    for _ in range(MAX_WAYS_BACK + 10):
        await _report_after(gate, door, commitments, CommitmentOutcome.TAKEN, report=False)
    assert MAX_WAYS_BACK == len(commitments._replies)
    assert 0 == await _report_after(gate, door, commitments, CommitmentOutcome.TAKEN)


async def _report_after(
    gate: Link[Any, Any],
    door: Link[Any, Any],
    commitments: GateCommitments,
    outcome: CommitmentOutcome,
    *,
    report: bool = True,
) -> int | None:
    """Ask for commitment, have the gate answer and report; return what the gate is told."""

    async def reply(_report: CommitmentReport) -> int:
        return 0

    asking = asyncio.create_task(commitments.take(REQUEST, reply))
    asked = await gate.hear()
    gate.say(CommitmentTaken(asked.number, outcome))
    taken = await door.hear()
    door.answered(taken.number, answer_in(taken))
    assert outcome is await asking
    if not report:
        return None
    await commitments.report(1, asked.number, REPORT)
    status: int | None = (await gate.hear()).status
    return status
