"""Hostile exam steps and requests for commitment: refused with a status, and the door goes on."""

import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.ward import Ward, open_ward
from tests.service.receive.door import (
    associate_rq,
    command,
    connected,
    element,
    message,
    uid_bytes,
)

pytestmark = pytest.mark.integration

STEP, COMMITMENT = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.1.20.1"
PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
IMPLICIT = "1.2.840.10008.1.2"
STEP_CONTEXT, COMMITMENT_CONTEXT = 1, 3
MIB = 1024 * 1024


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """A running ward."""
    async with open_ward(tmp_path) as ward:
        yield ward


def step_rq(code: int = 0x0140, uid: str = "1.2.3", message_id: int = 1) -> bytes:
    """An N-CREATE (or N-SET, 0x0120) request."""
    named = (0x0002, 0x1000) if code == 0x0140 else (0x0003, 0x1001)
    return command(
        element(named[0], uid_bytes(STEP)),
        element(0x0100, struct.pack("<H", code)),
        element(0x0110, struct.pack("<H", message_id)),
        element(0x0800, struct.pack("<H", 1)),
        element(named[1], uid_bytes(uid)),
    )


def action_rq() -> bytes:
    """An N-ACTION request for commitment."""
    return command(
        element(0x0003, uid_bytes(COMMITMENT)),
        element(0x0100, struct.pack("<H", 0x0130)),
        element(0x0110, struct.pack("<H", 1)),
        element(0x0800, struct.pack("<H", 1)),
        element(0x1001, uid_bytes(PUSH_INSTANCE)),
        element(0x1008, struct.pack("<H", 1)),
    )


def nested(depth: int) -> bytes:
    """Sequences in sequences, of undefined length: Scheduled Step Attributes Sequence."""
    begin = struct.pack("<HHL", 0x0040, 0x0270, 0xFFFFFFFF)
    return (begin + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth


HOSTILE = {
    "over its budget": b"\0" * (MIB + 2),
    "ten thousand levels": nested(10_000),
    "noise": os.urandom(5000),
    "a length that lies": struct.pack("<HHL", 0x0040, 0x0252, 0xFFFFFFF0) + b"COMPLETED ",
    "a path for a UID": struct.pack("<HHL", 0x0008, 0x1195, 16) + b"../../etc/passwd",
    "nothing": b"\0\0",
}


@pytest.mark.parametrize("octets", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_data_set_is_refused_and_the_next_is_read(
    ward: Ward, octets: bytes
) -> None:
    """Each gets a failure status; the association, the door and the tables are as before."""
    contexts = {STEP_CONTEXT: (STEP, [IMPLICIT]), COMMITMENT_CONTEXT: (COMMITMENT, [IMPLICIT])}
    async with connected(ward.port) as peer:
        await peer.associate(associate_rq(contexts))
        statuses = []
        for rq, context_id in (
            (step_rq(), STEP_CONTEXT),
            (step_rq(0x0120), STEP_CONTEXT),
            (action_rq(), COMMITMENT_CONTEXT),
        ):
            await peer.say(message(rq, octets, context_id))
            statuses.append(await peer.hear_status())
        assert await peer.release() == 6

    assert 0 not in statuses
    counts = await ward.database.read(
        lambda tx: (tx.steps.n_in_progress(), tx.commitments.n_open()[0])
    )
    assert (0, 0) == counts


async def test_a_step_that_is_cut_off_leaves_nothing(ward: Ward) -> None:
    """The line drops in the middle of a data set: no step, no task, no association."""
    async with connected(ward.port) as peer:
        await peer.associate(associate_rq({STEP_CONTEXT: (STEP, [IMPLICIT])}))
        await peer.say(message(step_rq(), b"\0" * 30_000, STEP_CONTEXT)[:-5000])
    async with connected(ward.port) as peer:
        assert await peer.associate() == 2

    assert 0 == await ward.database.read(lambda tx: tx.steps.n_in_progress())
