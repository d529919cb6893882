"""What associations cost: nothing while idle, bounded memory while they send cines."""

import asyncio
import os
import struct
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from sonogate.receive.spool.files import Block, SpoolFile
from sonogate.settings import MIB
from tests.service.receive.door import (
    ECHO_CONTEXT,
    ECHO_RQ,
    STORE_CONTEXT,
    Peer,
    connected,
    message,
    open_door,
    p_data,
    pdv,
    store_rq,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

A_ASSOCIATE_AC = 2
N_IDLE = 200
LOOK_SECONDS = 2.0
MAX_CORE_SHARE = 0.0005  # 0.05 % of a core for each idle association
MAX_RESIDENT_BYTES = 300 * MIB
N_CARTS = 4
CINE_BYTES = 50 * MIB

SERVE = """
import asyncio, sys
from pathlib import Path
from sonogate.observe.metrics import Metrics
from sonogate.receive.listener import Listener
from sonogate.receive.porter import OwnPorter
from sonogate.receive.spool import Spool
from sonogate.settings import ListenerSettings, SpoolSettings

class Nobody:
    def require_room(self):
        pass

    async def announce(self, instance):
        pass

async def main():
    settings = ListenerSettings(port=0)
    spool = Spool(Path(sys.argv[1]), SpoolSettings(min_free_bytes=1), settings)
    listener = Listener(settings, spool, Nobody(), OwnPorter(settings, Metrics()))
    await listener.start()
    print("PORT", listener.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await listener.stop()
    await spool.close()

asyncio.run(main())
"""


async def test_200_idle_associations_cost_no_cpu(tmp_path: Path) -> None:
    """An association held open for the whole exam costs under 0.05 % of a core, and still works."""
    async with (
        open_door(tmp_path, max_sender_associations=N_IDLE) as door,
        AsyncExitStack() as stack,
    ):
        peers: list[Peer] = []
        for _ in range(N_IDLE):
            peer = await stack.enter_async_context(connected(door.port))
            assert await peer.associate() == A_ASSOCIATE_AC
            peers.append(peer)
        assert N_IDLE == door.count("sonogate_associations")
        started = time.process_time()
        await asyncio.sleep(LOOK_SECONDS)
        share = (time.process_time() - started) / LOOK_SECONDS / N_IDLE
        print(f"{share:.6%} of a core for each idle association")  # noqa: T201 - a measurement

        assert share < MAX_CORE_SHARE
        await peers[-1].say(message(ECHO_RQ, context_id=ECHO_CONTEXT))
        assert await peers[-1].hear_status() == 0


async def send_cine(port: int, uid: str) -> int:
    """Send one cine in PDUs of 128 KiB and return its status."""
    piece = os.urandom(128 * 1024)
    async with connected(port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        await peer.say(message(store_rq(uid)))
        for _ in range(CINE_BYTES // len(piece)):
            await peer.say(p_data(pdv(STORE_CONTEXT, 0, piece)))
        await peer.say(p_data(pdv(STORE_CONTEXT, 2, b"end.")))
        pdu_type, body = await peer.hear(60)
        assert pdu_type == 4
        return int(struct.unpack_from("<H", body, body.index(b"\0\0\0\x09\x02\0\0\0") + 8)[0])


async def port_of(said: asyncio.StreamReader) -> int:
    """Read what the child says until it names its port."""
    async for line in said:
        if line.startswith(b"PORT "):
            return int(line.split()[1])
    raise AssertionError("the child ended before it listened")


def peak_resident_bytes(pid: int) -> int:
    """The most memory a process ever had in RAM."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def test_four_carts_send_cines_in_bounded_memory(tmp_path: Path) -> None:
    """Four times 50 MB at once stream through a gate of its own that stays under 300 MB."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(tmp_path / "spool"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        port = await asyncio.wait_for(port_of(process.stdout), 30)
        sending = [send_cine(port, f"1.2.{n}") for n in range(N_CARTS)]

        assert [0] * N_CARTS == await asyncio.gather(*sending)
        peak = peak_resident_bytes(process.pid)
        print(f"{peak / MIB:.0f} MiB at most")  # noqa: T201 - a measurement
        assert peak < MAX_RESIDENT_BYTES
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def test_a_slow_disk_holds_senders_up_instead_of_filling_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is stuck no more than a few blocks are taken from the network."""
    real_write, is_well = SpoolFile.write, threading.Event()

    def stuck_write(file: SpoolFile, blocks: Iterable[Block]) -> None:
        is_well.wait(20)
        real_write(file, blocks)

    async with open_door(tmp_path) as door, connected(door.port) as peer:
        assert await peer.associate() == A_ASSOCIATE_AC
        monkeypatch.setattr(SpoolFile, "write", stuck_write)
        await peer.say(message(store_rq("1.2.3")))
        piece = p_data(pdv(STORE_CONTEXT, 0, bytes(200_000)))
        (transport,) = door.transports()
        n_taken = 0
        with suppress(TimeoutError):  # held up in the middle of a piece
            while transport.is_reading() and n_taken < 200:
                n_taken += 1
                async with asyncio.timeout(5):
                    await peer.say(piece)
        assert n_taken < 200
        is_well.set()
        for _ in range(200 - n_taken):
            await peer.say(piece)
        await peer.say(p_data(pdv(STORE_CONTEXT, 2, b"end")))
        assert await peer.hear_status() == 0

        assert transport.is_reading()
        assert len(door.held()[0]) > 40_000_000
