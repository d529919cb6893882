"""Exam steps and requests for commitment of a mebibyte that would become far more in memory."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sonogate.errors import MalformedObjectError
from sonogate.receive.datasets import read_set
from tests.integration.test_network_hostile import COMMITMENT, STEP, action_rq, step_rq
from tests.integration.ward import Ward, open_ward
from tests.service.receive.door import (
    ECHO_RQ,
    EXPLICIT_LITTLE,
    VERIFICATION,
    Peer,
    associate_rq,
    connected,
    message,
)

pytestmark = pytest.mark.integration

ROOM = 1024 * 1024 - 64
STEP_CONTEXT, COMMITMENT_CONTEXT, ECHO_CONTEXT = 1, 3, 5
CONTEXTS = {
    STEP_CONTEXT: (STEP, [EXPLICIT_LITTLE]),
    COMMITMENT_CONTEXT: (COMMITMENT, [EXPLICIT_LITTLE]),
    ECHO_CONTEXT: (VERIFICATION, [EXPLICIT_LITTLE]),
}
EMPTY_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)


def sequence(tag: tuple[int, int], body: bytes) -> bytes:
    """Write a sequence of defined length."""
    return struct.pack("<HH2s2xL", *tag, b"SQ", len(body)) + body


def deep(tag: tuple[int, int], depth: int = 3000) -> bytes:
    """Nest a sequence, with all lengths defined, so that it is only read where it is looked at."""
    nest = b""
    for _ in range(depth):
        nest = sequence(tag, struct.pack("<HHL", 0xFFFE, 0xE000, len(nest)) + nest)
    return nest


def item(body: bytes) -> bytes:
    """Write an item of defined length."""
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


TRANSACTION, REFERENCES = (0x0008, 0x1195), (0x0008, 0x1199)
STATUS, SERIES, IMAGES = (0x0040, 0x0252), (0x0040, 0x0340), (0x0008, 0x1140)
BOMBS: dict[str, bytes] = {
    "131,000 items": sequence(REFERENCES, EMPTY_ITEM * (ROOM // 8))[: ROOM + 64],
    "131,000 items, one level down": sequence(
        SERIES, item(sequence(IMAGES, EMPTY_ITEM * (ROOM // 8 - 8)))
    ),
    "half a million values": (
        struct.pack("<HH2s2xL", *TRANSACTION, b"UC", ROOM) + b"1\\" * (ROOM // 2)
    ),
    "a sequence 3000 deep for a UID": deep(TRANSACTION),
    "a sequence 3000 deep for a status": deep(STATUS),
}  # fmt: skip


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """A running ward."""
    async with open_ward(tmp_path) as ward:
        yield ward


@pytest.mark.parametrize("name", [name for name in BOMBS if "sequence" not in name])
def test_too_many_objects_are_refused_before_one_is_made(name: str) -> None:
    """A data set is counted through before it is parsed: a mebibyte would cost 200 and seconds."""
    with pytest.raises(MalformedObjectError):
        read_set(BOMBS[name], EXPLICIT_LITTLE)


async def echo_seconds(peer: Peer) -> float:
    """Time a C-ECHO."""
    started = time.perf_counter()
    await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
    assert await peer.hear_status() == 0
    return time.perf_counter() - started


@pytest.mark.parametrize("octets", BOMBS.values(), ids=BOMBS)
async def test_a_bomb_is_refused_at_once_and_nobody_waits(ward: Ward, octets: bytes) -> None:
    """A failure status in time; a neighbour's echo is answered; the tables are as before."""
    requests = ((step_rq(), 1), (step_rq(0x0120), 1), (action_rq(), 3))
    async with connected(ward.port) as peer, connected(ward.port) as neighbour:
        await peer.associate(associate_rq(CONTEXTS))
        await neighbour.associate(associate_rq(CONTEXTS))
        for request, context_id in requests:
            await peer.say(message(request, octets, context_id))
            async with asyncio.timeout(2):
                assert await echo_seconds(neighbour) < 1
                assert await peer.hear_status() != 0
    counts = await ward.database.read(
        lambda tx: (tx.steps.n_in_progress(), tx.commitments.n_open()[0])
    )

    assert (0, 0) == counts
