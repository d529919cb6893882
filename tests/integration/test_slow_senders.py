"""Senders that trickle: at every state of an association there is a time by which it ends."""

import asyncio
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    STORE_CONTEXT,
    Peer,
    associate_rq,
    connected,
    eventually,
    message,
    open_door,
    p_data,
    pdv,
    store_rq,
)

pytestmark = pytest.mark.integration

A_ASSOCIATE_AC = 2
RELEASE_RQ = bytes.fromhex("05000000000400000000")
UNKNOWN_PDU = struct.pack(">BxL", 0x09, 4)
IN_PDU = struct.pack(">BxL", 4, 10_000)

STATES: dict[str, tuple[bool, bytes, bytes]] = {
    "nothing said, then a request": (False, b"", associate_rq()[:150]),
    "inside the request's items": (False, associate_rq()[:100], b"\0" * 60),
    "refused, before the close": (False, UNKNOWN_PDU, b"\0" * 300),
    "inside a PDU header": (True, b"", IN_PDU[:5] + b"\0"),
    "inside a PDV header": (True, IN_PDU, struct.pack(">LBB", 9000, STORE_CONTEXT, 3)[:5]),
    "inside a command": (True, IN_PDU + struct.pack(">LBB", 9996, 1, 3), b"\0" * 300),
    "inside an object": (
        True, message(store_rq("1.2")) + IN_PDU + struct.pack(">LBB", 9996, 1, 0), b"\0" * 300,
    ),
    "after the release": (True, RELEASE_RQ, b"\0" * 300),
    "after the abort": (True, UNKNOWN_PDU, b"\0" * 300),
}  # fmt: skip
"""Whether it is associated first, what is said at once, and what then comes byte by byte."""


async def trickle(peer: Peer, octets: bytes) -> None:
    """Send a byte every 20 ms, then nothing more."""
    for octet in octets:
        await peer.say(bytes([octet]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("is_associated", "said", "trickled"), STATES.values(), ids=STATES)
async def test_a_slow_sender_is_cut_at_every_state(
    tmp_path: Path, said: bytes, trickled: bytes, *, is_associated: bool
) -> None:
    """Bytes now and then buy no time: it is cut, nothing of it stays, and the next is served."""
    async with open_door(
        tmp_path, artim_seconds=0.4, pdu_progress_seconds=0.4, idle_seconds=0.4
    ) as door:
        async with connected(door.port) as peer:
            if is_associated:
                assert await peer.associate() == A_ASSOCIATE_AC
            await peer.say(said)
            slow = asyncio.create_task(trickle(peer, trickled))
            await asyncio.sleep(0.1)
            await eventually(lambda: not door.transports(), 1.5)
            slow.cancel()
            with suppress(ConnectionError, asyncio.CancelledError):
                await slow
        assert door.held() == []
        async with connected(door.port) as peer:
            assert await peer.associate() == A_ASSOCIATE_AC
            await peer.say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
            assert await peer.hear_status() == 0


async def test_an_object_in_the_smallest_pieces_ends_at_its_budget(tmp_path: Path) -> None:
    """PDUs of one byte each are progress, but the headers count against the association's bytes."""
    async with (
        open_door(tmp_path, max_association_bytes=50_000) as door,
        connected(door.port) as peer,
    ):
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq("1.2")))
        with suppress(ConnectionError):
            await peer.say(p_data(pdv(STORE_CONTEXT, 0, b"x")) * 5_000)
        await eventually(lambda: door.listener.n_associations == 0, 2)

        assert door.held() == []
