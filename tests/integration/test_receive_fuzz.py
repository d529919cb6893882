"""Damaged conversations: every one ends in an orderly way, and nothing of it stays."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    associate_rq,
    connected,
    eventually,
    message,
    open_door,
    store_rq,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

N_CONVERSATIONS = 300
CONVERSATION = b"".join(
    (
        associate_rq(),
        message(ECHO_RQ, context_id=ECHO_CONTEXT),
        message(store_rq("1.2.3"), b"content" * 3000),
        message(store_rq("1.2.4"), b"other" * 300),
        bytes.fromhex("05000000000400000000"),
    )
)


def damaged(rng: random.Random) -> bytes:
    """Change, cut out or repeat a few pieces, mostly near the start where the headers are."""
    octets = bytearray(CONVERSATION)
    for _ in range(rng.randint(1, 6)):
        at = min(int(rng.expovariate(1 / 400)), len(octets) - 1)
        match rng.randrange(4):
            case 0:
                octets[at] = rng.randrange(256)
            case 1:
                octets[at : at + 4] = rng.randbytes(4)
            case 2:
                del octets[at : at + rng.randint(1, 20)]
            case _:
                octets[at:at] = octets[at : at + rng.randint(1, 200)]
    return bytes(octets)


async def test_no_damaged_conversation_breaks_the_listener(tmp_path: Path) -> None:
    """Nothing is raised into the loop, nothing partial is left, and the next association works."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    async with open_door(tmp_path) as door:
        for seed in range(N_CONVERSATIONS):
            async with connected(door.port) as peer:
                peer.writer.write(damaged(random.Random(seed)))
                peer.writer.write_eof()
                async with asyncio.timeout(10):
                    while (await peer.hear())[0]:
                        pass
            assert not faults, f"seed {seed}: {faults}"
        await eventually(lambda: door.listener.n_associations == 0)
        await eventually(lambda: len(door.held()) == len(door.registrar.rows))
        async with connected(door.port) as peer:
            await peer.say(CONVERSATION)
            assert [2, 4, 4, 4, 6] == [(await peer.hear())[0] for _ in range(5)]
